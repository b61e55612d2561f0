/* blobset: blobs of one action by digest, kept as bytes or as paths to read again. */
#include "blobset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include "file.h"
#include "map.h"

struct entry {
	struct digest digest;
	struct rx_view bytes; /* when path is NULL */
	const char *path, *name;
	struct entry *next;
};

struct blobset {
	struct blob_sink sink;
	struct blob_source source;
	struct blob_source *behind;
	pthread_mutex_t lock;
	struct arena arena;
	struct rx_map by_digest;
	struct entry *first, **last;
	size_t n;
	int64_t size;
};

static struct entry *find(const struct blobset *s, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];

	return rx_map_get(&s->by_digest, key, digest_key(d, key));
}

/* A path that stays good when the caller closes its directory. */
static bool absolute(const struct blob *b, char out[PATH_MAX], struct rx_err *err)
{
	char link[64], dir[PATH_MAX];
	ssize_t n;

	if (b->path[0] == '/') {
		if (snprintf(out, PATH_MAX, "%s", b->path) >= PATH_MAX)
			return rx_fail(err, RX_ELIMIT, "path '%s' is too long", b->path);
		return true;
	}
	if (b->dirfd == AT_FDCWD) {
		if (!getcwd(dir, sizeof(dir)))
			return rx_fail_errno(err, "the current directory");
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", b->dirfd);
		n = readlink(link, dir, sizeof(dir) - 1);
		if (n < 0)
			return rx_fail_errno(err, "the directory of '%s'", b->path);
		dir[n] = '\0';
	}
	if (snprintf(out, PATH_MAX, "%s/%s", dir, b->path) >= PATH_MAX)
		return rx_fail(err, RX_ELIMIT, "path '%s/%s' is too long", dir, b->path);
	return true;
}

static bool put(struct blob_sink *self, const struct blob *b, struct rx_err *err)
{
	struct blobset *s = RX_CONTAINER(self, struct blobset, sink);
	uint8_t key[DIGEST_KEY_MAX];
	char path[PATH_MAX];
	size_t key_len = digest_key(&b->digest, key);
	struct entry *e;
	void **slot;
	bool added;

	if (b->path && !absolute(b, path, err))
		return false;
	pthread_mutex_lock(&s->lock);
	slot = rx_map_slot(&s->by_digest, key, key_len, &added);
	if (added) {
		e = ARENA_NEW(&s->arena, struct entry);
		e->digest = b->digest;
		if (b->path)
			e->path = arena_str(&s->arena, path);
		else
			e->bytes = arena_view(&s->arena, b->bytes);
		e->name = arena_str(&s->arena, b->name);
		*slot = e;
		*s->last = e;
		s->last = &e->next;
		s->n++;
		s->size += b->digest.size;
	}
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* Hashed, handed over, and looked at again: who takes it reads it a second time. */
static bool deliver_file(const struct entry *e, struct blob_receiver *to, struct rx_err *err)
{
	const char *name = e->name ? e->name : e->path;
	struct digest now;
	struct stat before, after;
	int fd RX_CLEANUP(file_close) = open(e->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &before) != 0)
		return rx_fail_errno(err, "'%s'", name);
	if (!digest_of_fd(e->digest.function, fd, before.st_size, &now, err))
		return rx_wrap(err, "'%s'", name);
	if (digest_eq(&now, &e->digest)) {
		if (!to->file(to, &e->digest, fd, err))
			return false;
		if (fstat(fd, &after) != 0)
			return rx_fail_errno(err, "'%s'", name);
		if (before.st_size == after.st_size &&
		    before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
		    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec)
			return true;
	}
	return rx_fail(err, RX_EDIGEST, "'%s' changed while it was used", name);
}

static bool fetch(struct blob_source *self, const struct digest *want, size_t n,
		  struct blob_receiver *to, struct digest_list *missing, struct rx_err *err)
{
	struct blobset *s = RX_CONTAINER(self, struct blobset, source);
	RX_CLEANUP(digest_list_release) struct digest_list rest = { 0 };
	RX_CLEANUP(rx_map_release) struct rx_map seen = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct entry *e = find(s, &want[i]);
		uint8_t key[DIGEST_KEY_MAX];

		if (!rx_map_put(&seen, key, digest_key(&want[i], key), NULL))
			continue;
		if (digest_is_empty_blob(&want[i])) {
			if (!to->bytes(to, &want[i], (struct rx_view){ "", 0 }, err))
				return false;
		} else if (!e) {
			digest_list_add(&rest, &want[i]);
		} else if (e->path) {
			if (!deliver_file(e, to, err))
				return false;
		} else if (!to->bytes(to, &e->digest, e->bytes, err)) {
			return false;
		}
	}
	if (!rest.n)
		return true;
	if (s->behind)
		return s->behind->fetch(s->behind, rest.v, rest.n, to, missing, err);
	for (size_t i = 0; i < rest.n; i++)
		digest_list_add(missing, &rest.v[i]);
	return true;
}

struct blobset *blobset_new(void)
{
	struct blobset *s = xcalloc(1, sizeof(*s));

	s->sink.put = put;
	s->source.fetch = fetch;
	pthread_mutex_init(&s->lock, NULL);
	s->last = &s->first;
	return s;
}

void blobset_free(struct blobset *s)
{
	if (!s)
		return;
	rx_map_release(&s->by_digest);
	arena_release(&s->arena);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct blob_sink *blobset_sink(struct blobset *s)
{
	return &s->sink;
}

struct blob_source *blobset_source(struct blobset *s, struct blob_source *behind)
{
	s->behind = behind;
	return &s->source;
}

bool blobset_has(const struct blobset *s, const struct digest *d)
{
	return find(s, d) != NULL;
}

int64_t blobset_size(const struct blobset *s)
{
	return s->size;
}

struct rx_view blobset_bytes(const struct blobset *s, const struct digest *d)
{
	const struct entry *e = find(s, d);

	return e && !e->path ? e->bytes : (struct rx_view){ "", 0 };
}

static bool send_entry(const struct entry *e, struct blob_sink *sink, struct rx_err *err)
{
	struct blob b = { .digest = e->digest,
			  .bytes = e->bytes,
			  .path = e->path,
			  .dirfd = AT_FDCWD,
			  .name = e->name };

	return sink->put(sink, &b, err);
}

bool blobset_send_all(struct blobset *s, struct blob_sink *sink, struct rx_err *err)
{
	for (const struct entry *e = s->first; e; e = e->next) {
		if (!send_entry(e, sink, err))
			return false;
	}
	return true;
}

bool blobset_send(struct blobset *s, const struct digest *d, struct blob_sink *sink,
		  struct rx_err *err)
{
	const struct entry *e = find(s, d);
	char text[DIGEST_TEXT_MAX];

	if (!e) {
		digest_short(d, text);
		return rx_fail(err, RX_ENOENT, "blob %s is not among this action's inputs", text);
	}
	return send_entry(e, sink, err);
}
