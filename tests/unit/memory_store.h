/* memory_store: a sink and source in memory for tests; delivers as bytes, files or streams, loses
 * blobs or breaks off on request. Thread-safe. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"
#include "map.h"
#include "source.h"

enum memory_delivery { MEMORY_BYTES, MEMORY_FILES, MEMORY_STREAMS };

struct memory_store {
	struct blob_sink sink;
	struct blob_source source;
	pthread_mutex_t lock;
	struct arena arena;
	struct rx_map blobs; /* digest -> struct rx_view */
	size_t puts, path_puts, fetches, fetched;
	enum memory_delivery delivery;
	size_t break_after;   /* a fetch fails after that many blobs; 0 = never */
	bool break_in_stream; /* and then in the middle of one */
};

static inline bool memory_keep(struct memory_store *m, const struct digest *d, struct rx_view bytes)
{
	uint8_t key[DIGEST_KEY_MAX];
	struct digest have;
	struct rx_view *copy;

	digest_of_view((enum digest_function)d->function, bytes, &have);
	if (!digest_eq(&have, d))
		return false;
	pthread_mutex_lock(&m->lock);
	copy = ARENA_NEW(&m->arena, struct rx_view);
	copy->p = arena_copy(&m->arena, bytes.n ? bytes.p : "", bytes.n ? bytes.n : 1);
	copy->n = bytes.n;
	rx_map_put(&m->blobs, key, digest_key(d, key), copy);
	m->puts++;
	pthread_mutex_unlock(&m->lock);
	return true;
}

/* What is put must have the digest it is said to have. */
static inline bool memory_put(struct blob_sink *self, const struct blob *b, struct rx_err *err)
{
	struct memory_store *m = RX_CONTAINER(self, struct memory_store, sink);
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { 0 };

	if (b->path) {
		if (!file_read(b->dirfd, b->path, (size_t)1 << 30, &bytes, err))
			return false;
		pthread_mutex_lock(&m->lock);
		m->path_puts++;
		pthread_mutex_unlock(&m->lock);
	}
	if (!memory_keep(m, &b->digest, b->path ? rx_view_of(&bytes) : b->bytes))
		return rx_fail(err, RX_EDIGEST, "'%s' was put with a wrong digest", b->name);
	return true;
}

static inline struct rx_view *memory_get(struct memory_store *m, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];
	struct rx_view *v;

	pthread_mutex_lock(&m->lock);
	v = rx_map_get(&m->blobs, key, digest_key(d, key));
	pthread_mutex_unlock(&m->lock);
	return v;
}

static inline void memory_lose(struct memory_store *m, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];

	rx_map_remove(&m->blobs, key, digest_key(d, key), NULL);
}

static inline bool memory_deliver(struct memory_store *m, const struct digest *d,
				  struct rx_view bytes, struct blob_receiver *to, bool half,
				  struct rx_err *err)
{
	int fd;
	bool ok;

	if (m->delivery == MEMORY_BYTES)
		return to->bytes(to, d, bytes, err);
	if (m->delivery == MEMORY_FILES) {
		fd = memfd_create("blob", MFD_CLOEXEC);
		ok = file_write_fd(fd, bytes.p, bytes.n, err) && to->file(to, d, fd, err);
		close(fd);
		return ok;
	}
	fd = to->open(to, d, err);
	if (fd < 0)
		return false;
	if (!file_write_fd(fd, bytes.p, half ? bytes.n / 2 : bytes.n, err))
		return false;
	if (half) {
		struct rx_err ignored = { 0 };
		(void)!to->close(to, d, fd, false, &ignored);
		return rx_fail(err, RX_EIO, "the line broke");
	}
	return to->close(to, d, fd, true, err);
}

static inline bool memory_fetch(struct blob_source *self, const struct digest *want, size_t n,
				struct blob_receiver *to, struct digest_list *missing,
				struct rx_err *err)
{
	struct memory_store *m = RX_CONTAINER(self, struct memory_store, source);
	struct rx_map seen = { 0 };
	size_t done = 0;
	bool ok = true;

	m->fetches++;
	for (size_t i = 0; ok && i < n; i++) {
		uint8_t key[DIGEST_KEY_MAX];
		struct rx_view *bytes = memory_get(m, &want[i]);
		bool breaks;

		if (!rx_map_put(&seen, key, digest_key(&want[i], key), NULL))
			continue;
		if (!bytes && want[i].size) {
			digest_list_add(missing, &want[i]);
			continue;
		}
		breaks = m->break_after && done == m->break_after;
		if (breaks && !m->break_in_stream)
			ok = rx_fail(err, RX_EIO, "the line broke");
		else
			ok = memory_deliver(m, &want[i], bytes ? *bytes : RX_VIEW(""), to, breaks,
					    err);
		done += ok;
		m->fetched += ok;
	}
	rx_map_release(&seen);
	return ok;
}

static inline void memory_store_init(struct memory_store *m)
{
	*m = (struct memory_store){ .sink = { memory_put }, .source = { memory_fetch } };
	pthread_mutex_init(&m->lock, NULL);
}

static inline void memory_store_release(struct memory_store *m)
{
	rx_map_release(&m->blobs);
	arena_release(&m->arena);
	pthread_mutex_destroy(&m->lock);
}

/* ---- a directory for a test ---- */

struct scratch {
	char *path;
	int fd;
};

static inline void scratch_init(struct scratch *s)
{
	struct rx_err err = { 0 };

	if (!file_temp_dir("/tmp", "remex-test-", &s->path, &err))
		abort();
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline void scratch_release(struct scratch *s)
{
	struct rx_err err = { 0 };

	close(s->fd);
	if (!file_remove_tree(AT_FDCWD, s->path, &err))
		rx_err_release(&err);
	free(s->path);
}

/* Makes parents too. */
static inline void scratch_write(struct scratch *s, const char *path, const char *text, mode_t mode)
{
	struct rx_err err = { 0 };
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');

	if (slash) {
		*slash = 0;
		if (!file_mkdirs(s->fd, dir, 0755, false, &err))
			abort();
	}
	free(dir);
	if (!file_write(s->fd, path, rx_view_str(text), mode, &err))
		abort();
}

static inline void scratch_mkdirs(struct scratch *s, const char *path)
{
	struct rx_err err = { 0 };

	if (!file_mkdirs(s->fd, path, 0755, false, &err))
		abort();
}

static inline bool scratch_has(struct scratch *s, const char *path)
{
	struct stat st;

	return fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline bool scratch_is(struct scratch *s, const char *path, const char *text)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	return file_read(s->fd, path, 1 << 20, &b, &err) && strcmp(rx_buf_str(&b), text) == 0;
}

static inline mode_t scratch_mode(struct scratch *s, const char *path)
{
	struct stat st;

	return fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & 07777 : 0;
}

/* What root may do says nothing: the rest of the test runs as nobody. */
static inline void become_nobody(struct scratch *s)
{
	if (geteuid() != 0)
		return;
	if ((s && fchown(s->fd, 65534, 65534) != 0) || setresuid(65534, 65534, 0) != 0)
		abort();
}

static inline void become_root_again(void)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) != 0 ||
	    (saved != effective && setresuid(saved, saved, saved) != 0))
		abort();
}
