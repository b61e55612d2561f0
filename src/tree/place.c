/* place: files and symlinks appear: each blob is fetched once and written at every path that wants
 * it. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "utf8.h"

static mode_t mode_of(const struct materialise *m, const struct node *n, bool *exact)
{
	mode_t asked = n->is_executable ? m->o.exec_mode : m->o.file_mode;

	if (n->props && n->props->has_mode) {
		*exact = true;
		return n->props->mode & 0777;
	}
	*exact = asked != 0;
	if (asked)
		return asked & 07777;
	return n->is_executable ? 0755 : 0644;
}

static const char *name_of(const struct place_file *f)
{
	return f->temp[0] ? f->temp : f->node->name;
}

static void discard(struct materialise *m, struct place_file *f)
{
	if (f->fd < 0)
		return;
	file_close(&f->fd);
	(void)unlinkat(f->dirfd, name_of(f), 0);
	placedir_release(m, f->node->parent);
}

static bool begin(struct materialise *m, struct node *n, struct place_file *out, struct rx_err *err)
{
	struct place_file f = { .node = n, .fd = -1 };
	struct stat st;
	bool exact;
	mode_t mode = mode_of(m, n, &exact);

	if (!placedir_acquire(m, n->parent, &f.dirfd, err))
		return false;
	if (!m->o.fresh)
		snprintf(f.temp, sizeof(f.temp), ".remex-%016" PRIx64, random_u64());
	do
		f.fd = openat(f.dirfd, name_of(&f),
			      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	while (f.fd < 0 && errno == EINTR);
	if (f.fd < 0) {
		placedir_errno(m, n, "making", err);
		placedir_release(m, n->parent);
		return false;
	}
	/* Modes that were asked for hold whatever the umask. */
	if (exact &&
	    (fstat(f.fd, &st) != 0 || ((st.st_mode & 07777) != mode && fchmod(f.fd, mode) != 0))) {
		placedir_errno(m, n, "setting the mode of", err);
		discard(m, &f);
		return false;
	}
	*out = f;
	return true;
}

static bool rename_into_place(struct materialise *m, const struct node *n, int dirfd,
			      const char *temp)
{
	if (m->o.overwrite)
		return renameat(dirfd, temp, dirfd, n->name) == 0;
	if (renameat2(dirfd, temp, dirfd, n->name, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	/* A file system without that flag: a second name never replaces anything either. */
	return linkat(dirfd, temp, dirfd, n->name, 0) == 0 && unlinkat(dirfd, temp, 0) == 0;
}

static bool not_placed(struct materialise *m, const struct node *n, struct rx_err *err)
{
	if (errno == EEXIST || errno == EISDIR || errno == ENOTEMPTY)
		return rx_fail(err, RX_EEXIST, "'%s' appeared meanwhile and is not overwritten",
			       placedir_show(m, n));
	return placedir_errno(m, n, "making", err);
}

static bool finish(struct materialise *m, struct place_file *f, struct rx_err *err)
{
	const struct node_properties *p = f->node->props;
	int fd;

	if (m->o.set_mtime && p && p->has_mtime) {
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					     { p->mtime_s, p->mtime_ns } };
		if (futimens(f->fd, times) != 0) {
			placedir_errno(m, f->node, "setting the time of", err);
			discard(m, f);
			return false;
		}
	}
	fd = f->fd;
	f->fd = -1;
	/* Some file systems tell only now that they are full. */
	if ((close(fd) != 0 && errno != EINTR) ||
	    (f->temp[0] && !m->o.whole && !rename_into_place(m, f->node, f->dirfd, f->temp))) {
		not_placed(m, f->node, err);
		(void)unlinkat(f->dirfd, name_of(f), 0);
		placedir_release(m, f->node->parent);
		return false;
	}
	placedir_release(m, f->node->parent);
	pthread_mutex_lock(&m->lock);
	if (f->temp[0] && m->o.whole) {
		struct place_waiting *w;

		RX_GROW(m->waiting, m->n_waiting, m->cap_waiting);
		w = &m->waiting[m->n_waiting++];
		w->node = f->node;
		memcpy(w->temp, f->temp, sizeof(w->temp));
	}
	m->stats.files++;
	m->stats.bytes += f->node->digest.size;
	pthread_mutex_unlock(&m->lock);
	return true;
}

static bool write_bytes(struct materialise *m, struct node *n, struct rx_view bytes,
			struct rx_err *err)
{
	struct place_file f;

	if (!begin(m, n, &f, err))
		return false;
	if (!file_write_fd(f.fd, bytes.p, bytes.n, err)) {
		rx_wrap(err, "'%s'", placedir_show(m, n));
		discard(m, &f);
		return false;
	}
	return finish(m, &f, err);
}

/* Every path is an inode of its own: a link would share mode and content. */
static bool write_copy(struct materialise *m, struct node *n, int from, struct rx_err *err)
{
	struct place_file f;

	if (!begin(m, n, &f, err))
		return false;
	if (lseek(from, 0, SEEK_SET) != 0) {
		placedir_errno(m, n, "copying to", err);
		discard(m, &f);
		return false;
	}
	if (!file_copy_fd(from, f.fd, n->digest.size, NULL, err)) {
		rx_wrap(err, "'%s'", placedir_show(m, n));
		discard(m, &f);
		return false;
	}
	return finish(m, &f, err);
}

/* ---- what a source delivers ---- */

struct receiver {
	struct blob_receiver base;
	struct materialise *m;
};

static struct place_want *wanted(struct blob_receiver *self, const struct digest *d,
				 struct rx_err *err)
{
	struct materialise *m = RX_CONTAINER(self, struct receiver, base)->m;
	uint8_t key[DIGEST_KEY_MAX];
	char text[DIGEST_TEXT_MAX];
	struct place_want *w = rx_map_get(&m->by_digest, key, digest_key(d, key));

	if (w && !w->done && w->open.fd < 0)
		return w;
	digest_short(d, text);
	rx_fail(err, RX_EDIGEST, "blob %s came %s", text, w ? "twice" : "without being asked for");
	return NULL;
}

static void delivered(struct materialise *m, struct place_want *w)
{
	w->done = true;
	pthread_mutex_lock(&m->lock);
	m->stats.fetched_bytes += w->digest.size;
	pthread_mutex_unlock(&m->lock);
}

static bool wrong_size(const struct digest *d, int64_t got, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	digest_short(d, text);
	return rx_fail(err, RX_EDIGEST, "blob %s came with %" PRId64 " bytes", text, got);
}

static bool receive_bytes(struct blob_receiver *self, const struct digest *d, struct rx_view bytes,
			  struct rx_err *err)
{
	struct materialise *m = RX_CONTAINER(self, struct receiver, base)->m;
	struct place_want *w = wanted(self, d, err);

	if (!w)
		return false;
	if ((int64_t)bytes.n != d->size)
		return wrong_size(d, (int64_t)bytes.n, err);
	for (struct node *n = w->first; n; n = n->next)
		if (!write_bytes(m, n, bytes, err))
			return false;
	delivered(m, w);
	return true;
}

static bool receive_file(struct blob_receiver *self, const struct digest *d, int fd,
			 struct rx_err *err)
{
	struct materialise *m = RX_CONTAINER(self, struct receiver, base)->m;
	struct place_want *w = wanted(self, d, err);

	if (!w)
		return false;
	for (struct node *n = w->first; n; n = n->next)
		if (!write_copy(m, n, fd, err))
			return false;
	delivered(m, w);
	return true;
}

static int receive_open(struct blob_receiver *self, const struct digest *d, struct rx_err *err)
{
	struct materialise *m = RX_CONTAINER(self, struct receiver, base)->m;
	struct place_want *w = wanted(self, d, err);

	return w && begin(m, w->first, &w->open, err) ? w->open.fd : -1;
}

static bool receive_close(struct blob_receiver *self, const struct digest *d, int fd, bool ok,
			  struct rx_err *err)
{
	struct materialise *m = RX_CONTAINER(self, struct receiver, base)->m;
	uint8_t key[DIGEST_KEY_MAX];
	struct place_want *w = rx_map_get(&m->by_digest, key, digest_key(d, key));
	struct stat st;

	if (!w || w->open.fd < 0 || w->open.fd != fd)
		return rx_fail(err, RX_EDIGEST, "a blob ended that was not begun");
	if (!ok) {
		discard(m, &w->open); /* whoever failed says why; it may come again */
		return true;
	}
	if (fstat(fd, &st) != 0)
		ok = placedir_errno(m, w->first, "writing", err);
	else if (st.st_size != d->size)
		ok = wrong_size(d, st.st_size, err);
	for (struct node *n = w->first->next; ok && n; n = n->next)
		ok = write_copy(m, n, fd, err);
	if (!ok) {
		discard(m, &w->open);
		return false;
	}
	if (!finish(m, &w->open, err))
		return false;
	delivered(m, w);
	return true;
}

static const char *receive_name(struct blob_receiver *self, const struct digest *d)
{
	struct materialise *m = RX_CONTAINER(self, struct receiver, base)->m;
	uint8_t key[DIGEST_KEY_MAX];
	const struct place_want *w = rx_map_get(&m->by_digest, key, digest_key(d, key));

	return w ? placedir_show(m, w->first) : NULL;
}

/* ---- all of it ---- */

static void want(struct materialise *m, struct node *n)
{
	uint8_t key[DIGEST_KEY_MAX];
	void **slot = rx_map_slot(&m->by_digest, key, digest_key(&n->digest, key), NULL);
	struct place_want *w = *slot;

	if (!w) {
		w = ARENA_NEW(&m->tree.arena, struct place_want);
		w->digest = n->digest;
		w->open.fd = -1;
		*slot = w;
		RX_GROW(m->wants, m->n_wants, m->cap_wants);
		m->wants[m->n_wants++] = w;
	}
	n->next = w->first;
	w->first = n;
}

/* Writes what is at hand and lists what is to be fetched. */
static bool files_below(struct materialise *m, struct node *dir, struct rx_err *err)
{
	for (size_t i = 0; i < dir->dir->n; i++) {
		struct node *kid = dir->dir->kids[i];

		if (kid->dir) {
			if (!files_below(m, kid, err))
				return false;
		} else if (kid->kind == NODE_FILE && !kid->known) {
			const struct rx_view *bytes = kid->data;
			if (!bytes && kid->digest.size > 0)
				want(m, kid);
			else if (!write_bytes(m, kid, bytes ? *bytes : RX_VIEW(""), err))
				return false;
		}
	}
	return true;
}

static bool fetch(struct materialise *m, struct blob_source *source, struct digest_list *missing,
		  struct rx_err *err)
{
	struct receiver r = {
		{ receive_bytes, receive_file, receive_open, receive_close, receive_name }, m
	};
	RX_CLEANUP(xfreep) struct digest *list = NULL;
	size_t before = missing->n, absent = 0;
	char text[DIGEST_TEXT_MAX];

	if (m->n_wants == 0)
		return true;
	list = xcalloc(m->n_wants, sizeof(*list));
	for (size_t i = 0; i < m->n_wants; i++)
		list[i] = m->wants[i]->digest;
	if (!source->fetch(source, list, m->n_wants, &r.base, missing, err))
		return false;
	for (size_t i = 0; i < m->n_wants; i++) {
		if (m->wants[i]->done)
			continue;
		absent++;
		digest_short(&m->wants[i]->digest, text);
		if (absent > missing->n - before)
			return rx_fail(err, RX_EIO, "blob %s ('%s') was neither sent nor missing",
				       text, placedir_show(m, m->wants[i]->first));
	}
	return true;
}

static bool make_link(struct materialise *m, struct node *n, struct rx_err *err)
{
	const struct node_properties *p = n->props;
	char temp[32];
	int dirfd, r;

	if (!placedir_acquire(m, n->parent, &dirfd, err))
		return false;
	r = symlinkat(n->target, dirfd, n->name);
	if (r != 0 && errno == EEXIST && m->o.overwrite && !m->o.fresh) {
		snprintf(temp, sizeof(temp), ".remex-%016" PRIx64, random_u64());
		r = symlinkat(n->target, dirfd, temp);
		if (r == 0 && (r = renameat(dirfd, temp, dirfd, n->name)) != 0) {
			int e = errno;
			(void)unlinkat(dirfd, temp, 0);
			errno = e;
		}
	}
	if (r != 0)
		not_placed(m, n, err);
	if (r == 0 && m->o.set_mtime && p && p->has_mtime) {
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					     { p->mtime_s, p->mtime_ns } };
		r = utimensat(dirfd, n->name, times, AT_SYMLINK_NOFOLLOW);
		if (r != 0)
			placedir_errno(m, n, "setting the time of", err);
	}
	placedir_release(m, n->parent);
	if (r == 0)
		m->stats.symlinks++;
	return r == 0;
}

static bool links_below(struct materialise *m, struct node *dir, struct rx_err *err)
{
	for (size_t i = 0; i < dir->dir->n; i++) {
		struct node *kid = dir->dir->kids[i];

		if (kid->dir ? !links_below(m, kid, err)
			     : kid->kind == NODE_SYMLINK && !kid->known && !make_link(m, kid, err))
			return false;
	}
	return true;
}

/* With `whole`, the names: all blobs are here. */
static bool name_all(struct materialise *m, struct rx_err *err)
{
	while (m->n_waiting) {
		const struct place_waiting *w = &m->waiting[m->n_waiting - 1];
		bool ok;
		int dirfd;

		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "stopped");
		if (!placedir_acquire(m, w->node->parent, &dirfd, err))
			return false;
		ok = rename_into_place(m, w->node, dirfd, w->temp) || not_placed(m, w->node, err);
		placedir_release(m, w->node->parent);
		if (!ok)
			return false;
		m->n_waiting--;
	}
	return true;
}

/* Complete files that got no name, and the directories made for them. */
static void take_back(struct materialise *m)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	int dirfd;

	for (size_t i = 0; i < m->n_waiting; i++) {
		struct place_waiting *w = &m->waiting[i];

		if (!placedir_acquire(m, w->node->parent, &dirfd, &ignored)) {
			rx_err_reset(&ignored);
			continue;
		}
		(void)unlinkat(dirfd, w->temp, 0);
		placedir_release(m, w->node->parent);
	}
	if (m->o.whole && !m->done && m->prepared)
		placedir_unmake(m);
	free(m->waiting);
}

bool place_run(struct materialise *m, struct blob_source *source, struct digest_list *missing,
	       struct rx_err *err)
{
	if (m->o.target_dir) {
		m->target_fd = open(m->o.target_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (m->target_fd < 0)
			return rx_fail_errno(err, "the target directory '%s'", m->o.target_dir);
		m->own_target = true;
	} else {
		m->target_fd = m->o.target_fd;
	}
	if (!placedir_check(m, err))
		return false;
	m->prepared = true;
	if (!placedir_make(m, err) || !files_below(m, m->tree.root, err) ||
	    !fetch(m, source, missing, err))
		return false;
	if (m->o.whole && missing->n)
		return true;
	/* Symlinks last: nothing may be written through one of them (REAPI rule 144). */
	m->done = name_all(m, err) && links_below(m, m->tree.root, err) && placedir_finish(m, err);
	return m->done;
}

void place_release(struct materialise *m)
{
	for (size_t i = 0; i < m->n_wants; i++)
		discard(m, &m->wants[i]->open);
	take_back(m);
	free(m->wants);
	rx_map_release(&m->by_digest);
	placedir_close_all(m);
	if (m->own_target)
		file_close(&m->target_fd);
}
