/* cas_upload: the sink: blobs are packed into slabs as they come; a full slab is a window of
 * FindMissingBlobs, and what is missing leaves straight from it. Sending has threads of its own
 * (cas_send.c), because put is called from the pool's and blocks when memory runs short. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cas_slab.h"
#include "file.h"
#include "log.h"

struct cas_upload *cas_upload_new(struct client *c)
{
	struct cas_upload *u = xcalloc(1, sizeof(*u));

	u->sink.put = cas_upload_put;
	u->client = c;
	u->max_threads = RX_MIN(c->jobs, (unsigned)UPLOAD_THREADS);
	u->max_slabs = endpoint_is_local(&c->role[CLIENT_CAS].endpoint) ? UPLOAD_SLABS_LOCAL
									: UPLOAD_SLABS;
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->work, NULL);
	pthread_cond_init(&u->room, NULL);
	return u;
}

struct blob_sink *cas_upload_sink(struct cas_upload *u)
{
	return &u->sink;
}

void cas_upload_set_force(struct cas_upload *u, bool force)
{
	u->force = force;
}

void cas_upload_stats(const struct cas_upload *u, struct cas_upload_stats *out)
{
	*out = (struct cas_upload_stats){
		.blobs = atomic_load(&u->blobs),
		.bytes = atomic_load(&u->bytes),
		.uploaded_blobs = atomic_load(&u->uploaded_blobs),
		.uploaded_bytes = atomic_load(&u->uploaded_bytes),
	};
}

static void slab_free(struct cas_slab *s)
{
	rx_buf_release(&s->buf);
	free(s->digests);
	free(s->items);
	free(s->missing);
	arena_release(&s->names);
	free(s);
}

/* Once nobody can come back: slabs may be held by gRPC a moment longer than the upload lives. */
static void upload_destroy(struct cas_upload *u)
{
	while (u->free_slabs) {
		struct cas_slab *s = u->free_slabs;

		u->free_slabs = s->next;
		slab_free(s);
	}
	rx_map_release(&u->seen);
	rx_err_release(&u->error);
	pthread_cond_destroy(&u->work);
	pthread_cond_destroy(&u->room);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

void cas_slab_unref(void *p)
{
	struct cas_slab *s = p;
	struct cas_upload *u = s->upload;
	bool last;

	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i].loose) /* the server had it */
			u->loose_bytes -= s->digests[i].size;
		free(s->items[i].loose);
	}
	s->n = 0;
	/* The last used first: its pages are mapped and perhaps still in the cache. */
	s->next = u->free_slabs;
	u->free_slabs = s;
	u->slabs_out--;
	last = u->dead && u->slabs_out == 0;
	pthread_cond_broadcast(&u->room);
	pthread_mutex_unlock(&u->lock);
	if (last)
		upload_destroy(u);
}

/* Under the lock. */
static struct cas_slab *slab_take(struct cas_upload *u)
{
	struct cas_slab *s = u->free_slabs;

	if (s) {
		u->free_slabs = s->next;
	} else {
		s = xcalloc(1, sizeof(*s));
		s->upload = u;
		s->buf.max = RX_BUF_NO_MAX;
		/* Room for all at once: entries are filled outside the lock and must not move. */
		(void)rx_buf_reserve(&s->buf, CAS_SLAB_BYTES + 1);
		s->digests = xmalloc(PLAN_ITEMS * sizeof(*s->digests));
		s->items = xmalloc(PLAN_ITEMS * sizeof(*s->items));
		s->missing = xmalloc(PLAN_ITEMS);
	}
	rx_buf_reset(&s->buf);
	arena_reset(&s->names);
	s->n = 0;
	s->next = NULL;
	s->file_bytes = 0;
	atomic_store(&s->refs, 1);
	atomic_store(&s->writers, 1); /* the open slab's own */
	u->slabs_out++;
	return s;
}

/* Under the lock: a copy of the first error, for every caller of put. */
static bool give_error(const struct cas_upload *u, struct rx_err *err)
{
	rx_err_copy(err, &u->error);
	return false;
}

/* A slab whose last writer is done goes to a sender. */
static void slab_written(struct cas_slab *s)
{
	struct cas_job *job;

	if (atomic_fetch_sub(&s->writers, 1) != 1)
		return;
	job = xcalloc(1, sizeof(*job));
	job->kind = CAS_JOB_SLAB;
	job->slab = s;
	cas_upload_queue(s->upload, job);
}

/* Under the lock; the caller gives the result to slab_written once it has left the lock. */
static struct cas_slab *slab_seal(struct cas_upload *u)
{
	struct cas_slab *s = u->open;

	u->open = NULL;
	if (s)
		u->sealing++;
	return s;
}

static void slab_sealed(struct cas_upload *u, struct cas_slab *s)
{
	if (!s)
		return;
	slab_written(s);
	pthread_mutex_lock(&u->lock);
	u->sealing--;
	pthread_cond_broadcast(&u->room);
	pthread_mutex_unlock(&u->lock);
}

/* Where a file is when it is opened later. */
static char *lasting_path(const struct blob *b, struct rx_err *err)
{
	char link[64], dir[4096];
	ssize_t n;

	if (b->dirfd == AT_FDCWD || *b->path == '/')
		return xstrdup(b->path);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", b->dirfd);
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n < 0 || n == (ssize_t)sizeof(dir) - 1) {
		rx_fail_errno(err, "finding the directory of '%s'", b->path);
		return NULL;
	}
	dir[n] = 0;
	return path_join(dir, b->path);
}

static bool read_file(const struct blob *b, char *to, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = openat(b->dirfd, b->path, O_RDONLY | O_CLOEXEC);
	const char *name = b->name ? b->name : b->path;
	struct stat st;
	size_t got;

	if (fd < 0 || fstat(fd, &st) != 0)
		return rx_fail_errno(err, "'%s'", name);
	if (st.st_size != b->digest.size)
		return rx_fail(err, RX_EDIGEST, "'%s' changed while it was uploaded", name);
	if (!file_pread(fd, to, (size_t)b->digest.size, 0, &got, err))
		return rx_wrap(err, "'%s'", name);
	if ((int64_t)got != b->digest.size)
		return rx_fail(err, RX_EDIGEST, "'%s' changed while it was uploaded", name);
	return true;
}

/* How a blob travels: in the slab, from a file read later, or as bytes kept apart. */
enum travel { TRAVEL_SLAB, TRAVEL_FILE, TRAVEL_LOOSE };

static bool check_blob(struct cas_upload *u, const struct blob *b, const struct caps *caps,
		       struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	if (b->digest.function != caps->function)
		return rx_fail(err, RX_EUSAGE, "a %s digest cannot be uploaded with %s ones",
			       digest_function_name((enum digest_function)b->digest.function),
			       digest_function_name(caps->function));
	if (!b->path && (int64_t)b->bytes.n != b->digest.size) {
		digest_short(&b->digest, text);
		return rx_fail(err, RX_EDIGEST, "blob %s was put with %zu bytes", text, b->bytes.n);
	}
	/* REAPI rule 48 */
	if (caps->raw.max_blob > 0 && b->digest.size > caps->raw.max_blob) {
		digest_short(&b->digest, text);
		rx_fail(err, RX_ELIMIT, "%s is %lld bytes, %s takes blobs up to %lld",
			b->name   ? b->name
			: b->path ? b->path
				  : text,
			(long long)b->digest.size, client_display(u->client, CLIENT_CAS),
			(long long)caps->raw.max_blob);
		err->service = true;
		rx_hint(err, "try: another --remote, or leave the file out");
		return false;
	}
	return true;
}

/* Under the lock: waits for an open slab with room for `entry` more bytes and one more item. A slab
 * that is sealed on the way is sent. */
static bool slab_for(struct cas_upload *u, size_t entry, size_t capacity, struct rx_err *err)
{
	for (;;) {
		if (atomic_load(&u->failed))
			return give_error(u, err);
		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "stopped");
		if (u->open && u->open->n < PLAN_ITEMS && u->open->buf.n + entry <= capacity)
			return true;
		if (u->open) {
			struct cas_slab *full = slab_seal(u);

			pthread_mutex_unlock(&u->lock);
			slab_sealed(u, full);
			pthread_mutex_lock(&u->lock);
		} else if (u->slabs_out < u->max_slabs) {
			u->open = slab_take(u);
		} else {
			pthread_cond_wait(&u->room, &u->lock);
		}
	}
}

/* A whole number of batches, so that none is left half empty. */
static size_t slab_capacity(int64_t limit)
{
	int64_t batch = RX_MAX(limit - CAS_HEADER_ROOM, (int64_t)1024);

	return batch >= CAS_SLAB_BYTES ? CAS_SLAB_BYTES : (size_t)(CAS_SLAB_BYTES / batch * batch);
}

static bool put_locked(struct cas_upload *u, const struct blob *b, enum travel how, char *path,
		       size_t capacity, char **data_out, struct cas_slab **slab_out,
		       struct cas_slab **full_out, struct rx_err *err)
{
	size_t entry = how == TRAVEL_SLAB ? wire_update_entry_size(&b->digest) : 0;
	uint8_t key[DIGEST_KEY_MAX];
	struct cas_item item = { 0 };
	struct cas_slab *s;

	if (!rx_map_put(&u->seen, key, digest_key(&b->digest, key), NULL))
		return true; /* on its way already */
	atomic_fetch_add(&u->blobs, 1);
	atomic_fetch_add(&u->bytes, b->digest.size);
	while (how == TRAVEL_LOOSE && u->loose_bytes > 0 &&
	       u->loose_bytes + b->digest.size > UPLOAD_LOOSE_BYTES && !atomic_load(&u->failed)) {
		/* What holds the memory may sit in the open slab. */
		struct cas_slab *full = slab_seal(u);

		if (full) {
			pthread_mutex_unlock(&u->lock);
			slab_sealed(u, full);
			pthread_mutex_lock(&u->lock);
		} else {
			pthread_cond_wait(&u->room, &u->lock);
		}
	}
	if (!slab_for(u, entry, capacity, err))
		return false;
	s = u->open;
	item.start = (uint32_t)s->buf.n;
	if (how == TRAVEL_SLAB) {
		*data_out = wire_update_add_entry(&s->buf, &b->digest);
		item.data = (uint32_t)(*data_out - s->buf.p);
	} else if (how == TRAVEL_FILE) {
		item.path = arena_str(&s->names, path);
	} else {
		u->loose_bytes += b->digest.size;
		item.loose = xmalloc((size_t)b->digest.size);
		*data_out = item.loose;
	}
	item.end = (uint32_t)s->buf.n;
	item.name = arena_str(&s->names, b->name ? b->name : b->path);
	s->digests[s->n] = b->digest;
	s->items[s->n++] = item;
	atomic_fetch_add(&s->writers, 1);
	*slab_out = s;
	if (how == TRAVEL_FILE)
		s->file_bytes += b->digest.size;
	/* A large file need not wait for the slab to fill while nobody sends. */
	if (how == TRAVEL_FILE && (u->pending == 0 || s->file_bytes > UPLOAD_FILE_WINDOW))
		*full_out = slab_seal(u);
	return true;
}

bool cas_upload_put(struct blob_sink *self, const struct blob *b, struct rx_err *err)
{
	struct cas_upload *u = RX_CONTAINER(self, struct cas_upload, sink);
	const struct caps *caps = caps_get(u->client, err);
	RX_CLEANUP(xfreep) char *path = NULL;
	struct cas_slab *slab = NULL, *full = NULL;
	enum travel how = TRAVEL_SLAB;
	char *data = NULL;
	int64_t limit, entry = (int64_t)wire_update_entry_size(&b->digest);
	bool ok;

	if (!caps || !check_blob(u, b, caps, err))
		return false;
	limit = cas_batch_limit(u->client, caps);
	if (digest_is_empty_blob(&b->digest))
		return true; /* REAPI rule 33 */
	/* What fits into a batch but not into a slab is streamed as well. */
	if (atomic_load(&u->client->no_batch) || entry + CAS_HEADER_ROOM > limit ||
	    entry > CAS_SLAB_BYTES)
		how = TRAVEL_LOOSE; /* REAPI rules 68, 69: by ByteStream */
	if (b->path && (how == TRAVEL_LOOSE || b->digest.size > UPLOAD_READ_BYTES)) {
		how = TRAVEL_FILE;
		path = lasting_path(b, err);
		if (!path)
			return false;
	}
	pthread_mutex_lock(&u->lock);
	ok = put_locked(u, b, how, path, slab_capacity(limit), &data, &slab, &full, err);
	pthread_mutex_unlock(&u->lock);
	if (ok && data) {
		if (!b->path) {
			memcpy(data, b->bytes.p, b->bytes.n);
		} else if (!read_file(b, data, err)) {
			RX_CLEANUP(rx_err_release) struct rx_err copy = { 0 };

			rx_err_copy(&copy, err);
			cas_upload_fail(u, &copy);
			ok = false;
		}
	}
	if (slab)
		slab_written(slab);
	slab_sealed(u, full);
	return ok;
}

bool cas_upload_finish(struct cas_upload *u, struct rx_err *err)
{
	struct cas_slab *open;
	bool ok = true;

	pthread_mutex_lock(&u->lock);
	open = slab_seal(u);
	pthread_mutex_unlock(&u->lock);
	slab_sealed(u, open);
	pthread_mutex_lock(&u->lock);
	while ((u->pending > 0 && u->n_threads > 0) || u->sealing > 0)
		pthread_cond_wait(&u->room, &u->lock);
	if (atomic_load(&u->failed))
		ok = give_error(u, err);
	pthread_mutex_unlock(&u->lock);
	cas_upload_join(u);
	return ok;
}

void cas_upload_free(struct cas_upload *u)
{
	struct cas_slab *open;
	bool gone;

	if (!u)
		return;
	atomic_store(&u->failed, true); /* nothing more is begun */
	pthread_mutex_lock(&u->lock);
	open = slab_seal(u);
	if (u->error.code == RX_OK)
		rx_fail(&u->error, RX_ECANCEL, "the upload was given up");
	pthread_mutex_unlock(&u->lock);
	slab_sealed(u, open);
	cas_upload_join(u);
	pthread_mutex_lock(&u->lock);
	u->dead = true;
	gone = u->slabs_out == 0;
	pthread_mutex_unlock(&u->lock);
	if (gone)
		upload_destroy(u);
}
