/* source: reading small blobs of a source into memory. */
#include "source.h"

#include <assert.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"
#include "map.h"

void digest_list_add(struct digest_list *l, const struct digest *d)
{
	RX_GROW(l->v, l->n, l->cap);
	l->v[l->n++] = *d;
}

void digest_list_release(struct digest_list *l)
{
	if (!l)
		return;
	free(l->v);
	*l = (struct digest_list){ 0 };
}

/* Receives every blob into one arena. Deliveries come from several threads. */
struct memory {
	struct blob_receiver receiver;
	pthread_mutex_t lock; /* guards the arena and the views */
	struct arena *arena;
	struct rx_map places; /* digest key -> its struct rx_view in out */
};

static void memory_release(struct memory *m)
{
	rx_map_release(&m->places);
	pthread_mutex_destroy(&m->lock);
}

/* Room for a delivered blob, NUL behind it; NULL when nobody asked for it. */
static char *place(struct memory *m, const struct digest *d, struct rx_err *err)
{
	uint8_t key[DIGEST_KEY_MAX];
	char text[DIGEST_TEXT_MAX];
	struct rx_view *view;
	char *p = NULL;
	size_t n = digest_key(d, key);

	pthread_mutex_lock(&m->lock);
	view = rx_map_get(&m->places, key, n);
	if (view) {
		p = arena_alloc(m->arena, (size_t)d->size + 1);
		p[d->size] = 0;
		*view = (struct rx_view){ p, (size_t)d->size };
	}
	pthread_mutex_unlock(&m->lock);
	if (!p) {
		digest_short(d, text);
		rx_fail(err, RX_EDIGEST, "blob %s came without being asked for", text);
	}
	return p;
}

static bool wrong_size(const struct digest *d, size_t got, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	digest_short(d, text);
	return rx_fail(err, RX_EDIGEST, "blob %s came with %zu bytes", text, got);
}

static bool receive_bytes(struct blob_receiver *self, const struct digest *d, struct rx_view bytes,
			  struct rx_err *err)
{
	struct memory *m = RX_CONTAINER(self, struct memory, receiver);
	char *p;

	if ((int64_t)bytes.n != d->size)
		return wrong_size(d, bytes.n, err);
	p = place(m, d, err);
	if (!p)
		return false;
	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	return true;
}

static bool receive_file(struct blob_receiver *self, const struct digest *d, int fd,
			 struct rx_err *err)
{
	struct memory *m = RX_CONTAINER(self, struct memory, receiver);
	size_t got;
	char *p = place(m, d, err);

	if (!p || !file_pread(fd, p, (size_t)d->size, 0, &got, err))
		return false;
	return (int64_t)got == d->size || wrong_size(d, got, err);
}

/* A blob that comes in pieces passes through a file in memory. */
static int receive_open(struct blob_receiver *self, const struct digest *d, struct rx_err *err)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	(void)self, (void)d;
	if (fd < 0)
		rx_fail_errno(err, "a file in memory");
	return fd;
}

static bool receive_close(struct blob_receiver *self, const struct digest *d, int fd, bool ok,
			  struct rx_err *err)
{
	if (ok)
		ok = receive_file(self, d, fd, err);
	else
		ok = true; /* whoever failed says so */
	close(fd);
	return ok;
}

bool source_read_many(struct blob_source *s, const struct digest *want, size_t n, size_t max_each,
		      size_t max_total, struct arena *a, struct rx_view *out, struct rx_err *err)
{
	RX_CLEANUP(digest_list_release) struct digest_list missing = { 0 };
	RX_CLEANUP(memory_release)
	struct memory m = {
		.receiver = { receive_bytes, receive_file, receive_open, receive_close },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.arena = a,
	};
	uint8_t key[DIGEST_KEY_MAX];
	char text[DIGEST_TEXT_MAX];
	size_t total = 0;
	struct rx_view *views = ARENA_ARRAY(a, struct rx_view, n);

	for (size_t i = 0; i < n; i++) {
		void **slot;
		bool added;

		assert(digest_is_set(&want[i]) && want[i].size >= 0);
		slot = rx_map_slot(&m.places, key, digest_key(&want[i], key), &added);
		if (!added)
			continue;
		*slot = &views[i];
		if ((uint64_t)want[i].size > max_each) {
			digest_short(&want[i], text);
			return rx_fail(err, RX_ELIMIT,
				       "blob %s is larger than the limit of %zu bytes", text,
				       max_each);
		}
		if (__builtin_add_overflow(total, (size_t)want[i].size, &total) ||
		    total > max_total)
			return rx_fail(err, RX_ELIMIT,
				       "%zu blobs are together larger than the limit of %zu bytes",
				       n, max_total);
	}
	if (!s->fetch(s, want, n, &m.receiver, &missing, err))
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = *(struct rx_view *)rx_map_get(&m.places, key, digest_key(&want[i], key));
	return true;
}

bool source_read(struct blob_source *s, const struct digest *d, size_t max, struct rx_buf *out,
		 struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	struct rx_view bytes = { NULL, 0 };
	char text[DIGEST_TEXT_MAX];

	if (!source_read_many(s, d, 1, max, max, &scratch, &bytes, err))
		return false;
	digest_format(d, text);
	if (!bytes.p)
		return rx_fail(err, RX_ENOENT, "blob %s is not there", text);
	rx_buf_add(out, bytes.p, bytes.n);
	if (out->full)
		return rx_fail(err, RX_ELIMIT, "blob %s does not fit into its buffer", text);
	return true;
}
