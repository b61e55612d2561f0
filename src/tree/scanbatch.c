/* scanbatch: opening, reading and hashing files on any thread. */
#include "scanbatch.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "file.h"
#include "filehash.h"
#include "log.h"
#include "reach.h"

#define BATCH 64 /* files a task takes: waking a thread costs as much as hashing a small file */

struct batch {
	struct scanbatch *scan;
	struct batch *next;
	atomic_size_t at; /* of the next file nobody has taken */
	size_t n;
	struct node *v[BATCH];
};
struct scanbatch {
	const struct scan_options *o;
	struct pool_group *group; /* NULL without a pool */
	struct batch *filling;
	struct batch *first, **at; /* all that were handed out */
	_Atomic int64_t bytes;
};

struct scanbatch *scanbatch_new(const struct scan_options *o)
{
	struct scanbatch *s = xcalloc(1, sizeof(*s));

	s->o = o;
	s->at = &s->first;
	if (o->pool)
		s->group = pool_group_new(o->pool);
	return s;
}

void scanbatch_free(struct scanbatch *s)
{
	if (!s)
		return;
	if (s->group) {
		pool_group_cancel(s->group);
		pool_group_free(s->group);
	}
	for (struct batch *b = s->first; b;) {
		struct batch *next = b->next;
		free(b);
		b = next;
	}
	free(s->filling);
	free(s);
}

void scanbatch_local(const struct node *n, struct rx_buf *out)
{
	rx_buf_reset(out);
	if (n->local) {
		rx_buf_add_str(out, n->local);
		return;
	}
	rx_buf_add_str(out, n->parent->local);
	if (out->n == 0 || out->p[out->n - 1] != '/')
		rx_buf_add_char(out, '/');
	rx_buf_add_str(out, n->name);
}

void scanbatch_properties(const struct scan_options *o, struct node *n, const struct stat *st)
{
	if (!n->props)
		return;
	n->props->present = true;
	n->props->has_mode = o->want_mode;
	n->props->mode = o->want_mode ? st->st_mode & 07777 : 0;
	n->props->has_mtime = o->want_mtime;
	n->props->mtime_s = o->want_mtime ? st->st_mtim.tv_sec : 0;
	n->props->mtime_ns = o->want_mtime ? (int32_t)st->st_mtim.tv_nsec : 0;
}

/* Counting is left out where nothing is limited: the counter is shared by all threads. */
static bool add_bytes(struct scanbatch *s, int64_t n, const char *name, struct rx_err *err)
{
	int64_t before = s->o->max_bytes ? atomic_fetch_add(&s->bytes, n) : 0;

	if (s->o->max_bytes && (before > s->o->max_bytes || n > s->o->max_bytes - before))
		return rx_fail(err, RX_ELIMIT,
			       "with '%s' the files are larger than the limit of %" PRId64 " bytes",
			       name, s->o->max_bytes);
	return true;
}

/* What one thread uses for file after file. */
struct hasher {
	struct filehash hash;
	struct rx_buf path;
	const struct node *dir; /* open as fd: neighbours are opened beneath it, by name */
	int fd;
};

static void hasher_init(struct hasher *h)
{
	*h = (struct hasher){ .path = { .max = RX_BUF_NO_MAX }, .fd = -1 };
	filehash_init(&h->hash);
}

static void hasher_release(struct hasher *h)
{
	filehash_release(&h->hash);
	rx_buf_release(&h->path);
	file_close(&h->fd);
}

static void open_neighbours_dir(struct scanbatch *s, struct hasher *h, const struct node *dir)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	struct stat st;

	file_close(&h->fd);
	h->dir = dir;
	/* When this fails, opening the file says why. */
	h->fd = reach_open(s->o->dirfd, dir->local, O_PATH | O_DIRECTORY, s->o->confined, &st,
			   &ignored);
}

/* neighbour: the file after this one lies in the same directory. */
static int open_file(struct scanbatch *s, struct hasher *h, const struct node *n, bool neighbour,
		     struct stat *st, struct rx_err *err)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (s->o->resolve ? 0 : O_NOFOLLOW);
	int fd;

	if (!n->local && h->dir != n->parent && neighbour)
		open_neighbours_dir(s, h, n->parent);
	/* An action's links are never followed, its names have no slash: nothing leads out. */
	if (!n->local && h->dir == n->parent && h->fd >= 0) {
		fd = openat(h->fd, n->name, flags);
		if (fd >= 0 && fstat(fd, st) == 0)
			return fd;
		file_close(&fd);
	}
	return reach_open(s->o->dirfd, rx_buf_str(&h->path), flags, s->o->confined, st, err);
}

static bool hash_file(struct scanbatch *s, struct hasher *h, struct node *n, bool neighbour,
		      struct rx_err *err)
{
	const struct scan_options *o = s->o;
	struct filehash_result r;
	const char *path;
	struct stat st;
	struct blob blob;
	bool ok;
	int fd;

	scanbatch_local(n, &h->path);
	path = rx_buf_str(&h->path);
	fd = open_file(s, h, n, neighbour, &st, err);
	if (fd < 0)
		return false;
	if (!S_ISREG(st.st_mode))
		ok = rx_fail(err, RX_EIO, "'%s' changed while it was read", path);
	else
		ok = add_bytes(s, st.st_size, path, err) &&
		     filehash_read(&h->hash, o->function, fd, &st, o->keep_bytes, path, &r, err);
	close(fd);
	if (!ok)
		return false;
	n->digest = r.digest;
	n->is_executable = (st.st_mode & S_IXUSR) != 0;
	scanbatch_properties(o, n, &st);
	n->known = true;
	if (!o->sink)
		return true;
	blob = (struct blob){ .digest = r.digest,
			      .bytes = r.bytes,
			      .path = r.bytes.p ? NULL : path,
			      .dirfd = o->dirfd,
			      .name = path };
	return o->sink->put(o->sink, &blob, err);
}

static bool run_batch(struct batch *b, struct hasher *h, struct rx_err *err)
{
	size_t i;

	while ((i = atomic_fetch_add(&b->at, 1)) < b->n) {
		bool neighbour = i + 1 < b->n && b->v[i + 1]->parent == b->v[i]->parent;

		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "reading files was stopped");
		if (scanbatch_stopped(b->scan))
			return true; /* the task that failed says why */
		if (!hash_file(b->scan, h, b->v[i], neighbour, err))
			return false;
	}
	return true;
}

static bool batch_task(void *arg, struct rx_err *err)
{
	RX_CLEANUP(hasher_release) struct hasher h;

	hasher_init(&h);
	return run_batch(arg, &h, err);
}

/* Once everything is handed out: takes files from batches whose task is busy with large ones. */
static bool help_task(void *arg, struct rx_err *err)
{
	RX_CLEANUP(hasher_release) struct hasher h;

	hasher_init(&h);
	for (struct batch *b = arg; b; b = b->next) {
		if (!run_batch(b, &h, err))
			return false;
	}
	return true;
}

static bool hand_out(struct scanbatch *s, struct rx_err *err)
{
	struct batch *b = s->filling;

	if (!b)
		return true;
	s->filling = NULL;
	*s->at = b;
	s->at = &b->next;
	if (!s->group)
		return batch_task(b, err);
	pool_group_run(s->group, batch_task, b);
	return true;
}

bool scanbatch_add(struct scanbatch *s, struct node *n, struct rx_err *err)
{
	if (!s->filling) {
		s->filling = xcalloc(1, sizeof(*s->filling));
		s->filling->scan = s;
	}
	s->filling->v[s->filling->n++] = n;
	return s->filling->n < BATCH || hand_out(s, err);
}

bool scanbatch_stopped(const struct scanbatch *s)
{
	return s->group && pool_group_cancelled(s->group);
}

bool scanbatch_finish(struct scanbatch *s, struct rx_err *err)
{
	if (!hand_out(s, err))
		return false;
	if (!s->group)
		return true;
	for (unsigned i = 1; s->first && i < pool_threads(s->o->pool); i++)
		pool_group_run(s->group, help_task, s->first);
	return pool_group_wait(s->group, err);
}
