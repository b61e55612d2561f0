/* placedir: the directories of a target: what is in the way, making them, descriptors for writing
 * into them. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "file.h"

#define KEEP_OPEN 64 /* descriptors, unless more are in use at once */

const char *placedir_show(struct materialise *m, const struct node *n)
{
	const char *path;

	pthread_mutex_lock(&m->lock); /* it is made in the tree's arena */
	path = node_show(&m->tree, n);
	pthread_mutex_unlock(&m->lock);
	return path;
}

bool placedir_errno(struct materialise *m, const struct node *n, const char *what,
		    struct rx_err *err)
{
	int e = errno;
	const char *path = placedir_show(m, n);

	errno = e;
	return rx_fail_errno(err, "%s '%s'", what, path);
}

static void close_dir(struct place_dir *p)
{
	file_close(&p->fd);
}

/* A place among the open ones; the lock is held. */
static void remember(struct materialise *m, struct node *dir)
{
	if (m->n_open >= KEEP_OPEN) {
		for (size_t i = 0; i < m->n_open; i++) {
			size_t at = m->hand++ % m->n_open;
			struct place_dir *old = m->open[at]->data;

			if (old->pins == 0) {
				close_dir(old);
				m->open[at] = dir;
				return;
			}
		}
	}
	RX_GROW(m->open, m->n_open, m->cap_open);
	m->open[m->n_open++] = dir;
}

/* From the nearest open ancestor down, one name at a time: no path is too long for that, and no
 * link is followed. The lock is held. Returns -1 with errno set. */
static int descend(struct materialise *m, struct node *dir)
{
	const struct node *way[LIMIT_TREE_DEPTH + 1];
	size_t n = 0;
	int at = m->target_fd, borrowed = at;

	for (struct node *up = dir; up->parent; up = up->parent) {
		const struct place_dir *p = up->data;
		if (p && p->fd >= 0) {
			at = borrowed = p->fd;
			break;
		}
		way[n++] = up;
	}
	while (n) {
		int next;

		do
			next = openat(at, way[n - 1]->name,
				      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		while (next < 0 && errno == EINTR);
		if (at != borrowed)
			file_close(&at);
		if (next < 0)
			return -1;
		at = next;
		n--;
	}
	return at;
}

bool placedir_acquire(struct materialise *m, struct node *dir, int *fd_out, struct rx_err *err)
{
	struct place_dir *p;
	int fd;

	if (!dir->parent) {
		*fd_out = m->target_fd;
		return true;
	}
	pthread_mutex_lock(&m->lock);
	p = dir->data;
	if (p->fd < 0) {
		fd = descend(m, dir);
		if (fd < 0) {
			pthread_mutex_unlock(&m->lock);
			return placedir_errno(m, dir, "opening the directory", err);
		}
		p->fd = fd;
		remember(m, dir);
	}
	p->pins++;
	*fd_out = p->fd;
	pthread_mutex_unlock(&m->lock);
	return true;
}

void placedir_release(struct materialise *m, struct node *dir)
{
	if (!dir->parent)
		return;
	pthread_mutex_lock(&m->lock);
	((struct place_dir *)dir->data)->pins--;
	pthread_mutex_unlock(&m->lock);
}

void placedir_close_all(struct materialise *m)
{
	for (size_t i = 0; i < m->n_open; i++)
		close_dir(m->open[i]->data);
	free(m->open);
	m->open = NULL;
	m->n_open = m->cap_open = 0;
}

/* ---- what is there already ---- */

static bool in_the_way(struct materialise *m, const struct node *n, const char *what,
		       struct rx_err *err)
{
	return rx_fail(err, RX_EEXIST, "'%s' is there already and is %s", node_show(&m->tree, n),
		       what);
}

static bool identical_file(struct materialise *m, const struct node *n, int dirfd,
			   const struct stat *st)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	RX_CLEANUP(file_close) int fd = -1;
	struct digest have;

	if (!S_ISREG(st->st_mode) || st->st_size != n->digest.size ||
	    ((st->st_mode & S_IXUSR) != 0) != n->is_executable)
		return false;
	fd = openat(dirfd, n->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	/* What cannot be read is not known to be identical. */
	return fd >= 0 && digest_of_fd(m->o.function, fd, st->st_size, &have, &ignored) &&
	       digest_eq(&have, &n->digest);
}

static bool identical_link(const struct node *n, int dirfd, const struct stat *st)
{
	RX_CLEANUP(xfreep) char *have = NULL;
	size_t len = strlen(n->target);

	if (!S_ISLNK(st->st_mode))
		return false;
	have = xmalloc(len + 1);
	return readlinkat(dirfd, n->name, have, len + 1) == (ssize_t)len &&
	       memcmp(have, n->target, len) == 0;
}

static bool check_leaf(struct materialise *m, struct node *n, int dirfd, const struct stat *st,
		       struct rx_err *err)
{
	if (S_ISDIR(st->st_mode))
		return in_the_way(m, n, "a directory", err);
	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return in_the_way(m, n, "a pipe, a socket or a device", err);
	if (m->o.keep_identical && (n->kind == NODE_FILE ? identical_file(m, n, dirfd, st)
							 : identical_link(n, dirfd, st))) {
		n->known = true;
		m->stats.kept++;
		return true;
	}
	return m->o.overwrite || in_the_way(m, n, "not to be overwritten", err);
}

static bool check_dir(struct materialise *m, struct node *dir, struct rx_err *err);

static bool check_entry(struct materialise *m, struct node *n, int dirfd, struct rx_err *err)
{
	struct stat st;

	if (fstatat(dirfd, n->name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			return placedir_errno(m, n, "looking at", err);
		return true; /* nor is anything below it */
	}
	if (!n->dir)
		return check_leaf(m, n, dirfd, &st, err);
	if (S_ISLNK(st.st_mode))
		return in_the_way(m, n, "a symbolic link, which is not written through", err);
	if (!S_ISDIR(st.st_mode))
		return in_the_way(m, n, "not a directory", err);
	return check_dir(m, n, err);
}

static bool check_dir(struct materialise *m, struct node *dir, struct rx_err *err)
{
	bool ok = true;
	int fd;

	if (!placedir_acquire(m, dir, &fd, err))
		return false;
	for (size_t i = 0; ok && i < dir->dir->n; i++)
		ok = check_entry(m, dir->dir->kids[i], fd, err);
	placedir_release(m, dir);
	return ok;
}

static void prepare(struct materialise *m, struct node *dir)
{
	for (size_t i = 0; i < dir->dir->n; i++) {
		struct node *kid = dir->dir->kids[i];
		struct place_dir *p;

		if (!kid->dir)
			continue;
		p = ARENA_NEW(&m->tree.arena, struct place_dir);
		p->fd = -1;
		kid->data = p;
		prepare(m, kid);
	}
}

bool placedir_check(struct materialise *m, struct rx_err *err)
{
	prepare(m, m->tree.root);
	return m->o.fresh || check_dir(m, m->tree.root, err);
}

/* ---- making them ---- */

static mode_t final_mode(const struct materialise *m, const struct node *n, bool *exact)
{
	if (n->props && n->props->has_mode) {
		*exact = true;
		return n->props->mode & 0777;
	}
	*exact = m->o.dir_mode != 0;
	return m->o.dir_mode ? m->o.dir_mode & 07777 : 0755;
}

static bool make_below(struct materialise *m, struct node *dir, struct rx_err *err)
{
	bool ok = true, exact;
	int fd;

	if (!placedir_acquire(m, dir, &fd, err))
		return false;
	for (size_t i = 0; ok && i < dir->dir->n; i++) {
		struct node *kid = dir->dir->kids[i];

		if (!kid->dir)
			continue;
		/* We write into it first, whatever its mode will be. */
		if (mkdirat(fd, kid->name, final_mode(m, kid, &exact) | S_IRWXU) == 0)
			((struct place_dir *)kid->data)->created = true;
		else if (errno != EEXIST)
			ok = placedir_errno(m, kid, "making the directory", err);
		if (ok && kid->known)
			m->stats.directories++;
	}
	placedir_release(m, dir);
	for (size_t i = 0; ok && i < dir->dir->n; i++)
		if (dir->dir->kids[i]->dir)
			ok = make_below(m, dir->dir->kids[i], err);
	return ok;
}

bool placedir_make(struct materialise *m, struct rx_err *err)
{
	return make_below(m, m->tree.root, err);
}

static void unmake_below(struct materialise *m, struct node *dir)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	int fd;

	for (size_t i = 0; i < dir->dir->n; i++)
		if (dir->dir->kids[i]->dir)
			unmake_below(m, dir->dir->kids[i]);
	if (!placedir_acquire(m, dir, &fd, &ignored))
		return;
	for (size_t i = 0; i < dir->dir->n; i++) {
		const struct node *kid = dir->dir->kids[i];
		const struct place_dir *p = kid->data;

		if (kid->dir && p && p->created)
			(void)unlinkat(fd, kid->name, AT_REMOVEDIR);
	}
	placedir_release(m, dir);
}

void placedir_unmake(struct materialise *m)
{
	unmake_below(m, m->tree.root);
}

static bool finish_one(struct materialise *m, struct node *n, struct rx_err *err)
{
	const struct place_dir *p = n->data;
	bool exact, ok = true;
	mode_t mode = final_mode(m, n, &exact);
	int fd;

	if (!p->created)
		return true;
	exact = exact || (mode & S_IRWXU) != S_IRWXU;
	if (!exact && !(m->o.set_mtime && n->props && n->props->has_mtime))
		return true;
	if (!placedir_acquire(m, n->parent, &fd, err))
		return false;
	if (m->o.set_mtime && n->props && n->props->has_mtime) {
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					     { n->props->mtime_s, n->props->mtime_ns } };
		if (utimensat(fd, n->name, times, AT_SYMLINK_NOFOLLOW) != 0)
			ok = placedir_errno(m, n, "setting the time of", err);
	}
	if (ok && exact && fchmodat(fd, n->name, mode, 0) != 0)
		ok = placedir_errno(m, n, "setting the mode of", err);
	placedir_release(m, n->parent);
	return ok;
}

static bool finish_below(struct materialise *m, struct node *dir, struct rx_err *err)
{
	for (size_t i = 0; i < dir->dir->n; i++) {
		struct node *kid = dir->dir->kids[i];
		if (kid->dir && (!finish_below(m, kid, err) || !finish_one(m, kid, err)))
			return false;
	}
	return true;
}

bool placedir_finish(struct materialise *m, struct rx_err *err)
{
	return finish_below(m, m->tree.root, err);
}
