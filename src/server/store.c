/* store: opening the store, presence, whole blobs in and out. */
#include "store_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "utf8.h"

#define LOCK_WAIT_MS 500
#define TEMP_PREFIX  "remex-"

void store_name(const struct digest *d, char out[STORE_NAME_MAX])
{
	digest_hex(d, out + 3);
	out[0] = out[3];
	out[1] = out[4];
	out[2] = '/';
	(void)snprintf(out + 3 + 2 * d->len, STORE_NAME_MAX - 3 - 2 * (size_t)d->len, "-%" PRId64,
		       d->size);
}

struct store_area *store_area_of(struct store *s, const struct digest *d, struct rx_err *err)
{
	struct store_area *a = d->function < RX_COUNT(s->cas) ? s->cas[d->function] : NULL;

	if (!a || d->len != digest_function_length(d->function) || d->size < 0) {
		rx_fail(err, RX_EUSAGE, "digest function %s is not supported by this store",
			digest_function_name(d->function));
		return NULL;
	}
	return a;
}

pthread_mutex_t *store_stripe(struct store *s, const struct store_area *a, unsigned shard)
{
	return &s->stripes[(shard + (unsigned)a->function * 37u) % STORE_STRIPES];
}

static unsigned shard_of(const char *name)
{
	uint8_t shard = 0;

	(void)hex_decode(name, 2, &shard);
	return shard;
}

static bool ensure_dir(int at, const char *path, struct rx_err *err)
{
	if (mkdirat(at, path, 0700) != 0 && errno != EEXIST)
		return rx_fail_errno(err, "making '%s'", path);
	return true;
}

static struct store_area *area_add(struct store *s, const char *path, enum digest_function f,
				   struct rx_err *err)
{
	struct store_area *a;
	int fd;

	if (!ensure_dir(s->root_fd, path, err))
		return NULL;
	fd = openat(s->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		rx_fail_errno(err, "opening '%s'", path);
		return NULL;
	}
	a = xcalloc(1, sizeof(*a));
	a->path = xstrdup(path);
	a->fd = fd;
	a->function = f;
	s->areas[s->n_areas++] = a;
	return a;
}

/* Results of other hosts' states (an upgraded compiler, another sandbox mode) still take room and
 * must be evictable. */
static bool old_spaces(struct store *s, struct rx_err *err)
{
	int fd = openat(s->root_fd, "ac", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	bool ok = true;

	if (!d) {
		rx_fail_errno(err, "listing 'ac'");
		file_close(&fd);
		return false;
	}
	while (ok && s->n_areas < STORE_AREAS && (e = readdir(d))) {
		char path[STORE_NAME_MAX];

		if (e->d_name[0] == '.' || strlen(e->d_name) > 64 ||
		    strcmp(e->d_name, s->ac->path + strlen("ac/")) == 0)
			continue;
		(void)snprintf(path, sizeof(path), "ac/%.64s", e->d_name);
		ok = area_add(s, path, DIGEST_UNKNOWN, err) != NULL;
	}
	closedir(d);
	return ok;
}

static bool in_use(struct store *s, struct rx_err *err)
{
	char pid[32] = "";
	ssize_t n = pread(s->lock_fd, pid, sizeof(pid) - 1, 0);

	(void)n;
	rx_fail(err, RX_EEXIST, "another server uses it (process %.*s)", (int)strcspn(pid, "\n"),
		pid);
	rx_hint(err, "try: another --dir, or end that one first");
	return false;
}

/* Promises and the account are in the memory of the one who evicts: there can be only one. One that
 * was killed right now needs a moment to be gone. */
static bool take_lock(struct store *s, struct rx_err *err)
{
	int64_t until = clock_mono_ns() + (int64_t)LOCK_WAIT_MS * 1000000;
	char pid[32];

	s->lock_fd =
		openat(s->root_fd, "store.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return rx_fail_errno(err, "opening 'store.lock'");
	while (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return rx_fail_errno(err, "locking 'store.lock'");
		if (clock_mono_ns() >= until)
			return in_use(s, err);
		clock_sleep_ms(5);
	}
	(void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	return (ftruncate(s->lock_fd, 0) == 0 || rx_fail_errno(err, "emptying 'store.lock'")) &&
	       file_write_fd(s->lock_fd, pid, strlen(pid), err);
}

/* Leftovers of a process that was killed. By their names: the directory was chosen by the user, who
 * may have a "tmp" in it. */
static bool clean_temp(struct store *s, struct rx_err *err)
{
	const struct dirent *e;
	DIR *d;
	int fd;

	if (!ensure_dir(s->root_fd, "tmp", err))
		return false;
	s->tmp_fd = openat(s->root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	fd = s->tmp_fd < 0 ? -1 : fcntl(s->tmp_fd, F_DUPFD_CLOEXEC, 0);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		rx_fail_errno(err, "opening 'tmp'");
		file_close(&fd);
		return false;
	}
	while ((e = readdir(d)))
		if (strncmp(e->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0)
			(void)unlinkat(s->tmp_fd, e->d_name, 0);
	closedir(d);
	return true;
}

static bool open_areas(struct store *s, const char *ac_space, struct rx_err *err)
{
	char path[STORE_NAME_MAX], hex[129];
	struct digest space;

	if (!ensure_dir(s->root_fd, "cas", err) || !ensure_dir(s->root_fd, "ac", err))
		return false;
	for (unsigned f = 1; f < RX_COUNT(s->cas); f++) {
		if (!digest_function_supported((enum digest_function)f))
			continue;
		(void)snprintf(path, sizeof(path), "cas/%s",
			       digest_function_name((enum digest_function)f));
		s->cas[f] = area_add(s, path, (enum digest_function)f, err);
		if (!s->cas[f])
			return false;
	}
	digest_of_view(DIGEST_SHA256, rx_view_str(ac_space ? ac_space : ""), &space);
	digest_hex(&space, hex);
	(void)snprintf(path, sizeof(path), "ac/%.32s", hex);
	s->ac = area_add(s, path, DIGEST_UNKNOWN, err);
	return s->ac && old_spaces(s, err);
}

struct store *store_new(const struct store_options *o, struct rx_err *err)
{
	struct store *s = xcalloc(1, sizeof(*s));
	bool ok;

	s->root_fd = s->tmp_fd = s->lock_fd = -1;
	s->dir = xstrdup(o->dir);
	s->max_option = o->max_size;
	s->promise_ns = (o->promise_ms ? o->promise_ms : STORE_PROMISE_MS) * 1000000;
	for (unsigned i = 0; i < STORE_STRIPES; i++)
		pthread_mutex_init(&s->stripes[i], NULL);
	pthread_mutex_init(&s->recent, NULL);
	pthread_mutex_init(&s->used, NULL);
	pthread_cond_init(&s->wake, NULL);
	pthread_cond_init(&s->done, NULL);
	store_source_init(s);
	ok = file_mkdirs(AT_FDCWD, o->dir, 0700, false, err);
	if (ok) {
		s->root_fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ok = s->root_fd >= 0 || rx_fail_errno(err, "opening it");
	}
	ok = ok && take_lock(s, err) && clean_temp(s, err) && open_areas(s, o->ac_space, err) &&
	     store_keep_start(s, err);
	if (!ok) {
		rx_wrap(err, "store '%s'", o->dir);
		store_free(s);
		return NULL;
	}
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	store_keep_stop(s);
	for (size_t i = 0; i < s->n_areas; i++) {
		file_close(&s->areas[i]->fd);
		free(s->areas[i]->path);
		free(s->areas[i]);
	}
	file_close(&s->tmp_fd);
	file_close(&s->lock_fd);
	file_close(&s->root_fd);
	for (unsigned i = 0; i < STORE_STRIPES; i++)
		pthread_mutex_destroy(&s->stripes[i]);
	keyset_clear(&s->now);
	keyset_clear(&s->before);
	keyset_clear(&s->verified);
	pthread_mutex_destroy(&s->recent);
	pthread_mutex_destroy(&s->used);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->done);
	free(s->dir);
	free(s);
}

int store_temp(struct store *s, char name[32], struct rx_err *err)
{
	int fd;

	do {
		uint64_t n = __atomic_fetch_add(&s->temp, 1, __ATOMIC_RELAXED);

		(void)snprintf(name, 32, TEMP_PREFIX "%x-%" PRIx64, (unsigned)getpid(), n);
		fd = openat(s->tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	} while (fd < 0 && (errno == EEXIST || errno == EINTR));
	if (fd < 0) {
		int e = errno;

		if (e == ENOSPC)
			store_full_disk(s);
		errno = e;
		rx_fail_errno(err, "store '%s': making a temporary file", s->dir);
	}
	return fd;
}

bool store_commit(struct store *s, struct store_area *a, const char *temp, const char *name,
		  int64_t size, bool replace, struct rx_err *err)
{
	unsigned shard = shard_of(name);
	pthread_mutex_t *stripe = store_stripe(s, a, shard);
	struct stat st;
	bool there, moved = false;
	int e = 0;

	pthread_mutex_lock(stripe);
	there = fstatat(a->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there || replace || st.st_size != size) {
		moved = renameat(s->tmp_fd, temp, a->fd, name) == 0;
		if (!moved && errno == ENOENT) {
			const char dir[3] = { name[0], name[1], '\0' };

			if (mkdirat(a->fd, dir, 0700) == 0 || errno == EEXIST)
				moved = renameat(s->tmp_fd, temp, a->fd, name) == 0;
		}
		if (!moved)
			e = errno;
	}
	if (!moved)
		unlinkat(s->tmp_fd, temp, 0);
	/* The names tell sizes, so a torn file counted as much as what replaces it; results are
	 * replaced by results of another size. */
	if (moved && a->shards[shard].listed) {
		if (there && a->function == DIGEST_UNKNOWN)
			store_account(s, a, -store_cost(st.st_size), 0);
		if (!there || a->function == DIGEST_UNKNOWN)
			store_account(s, a, store_cost(size), there ? 0 : 1);
	}
	pthread_mutex_unlock(stripe);
	store_unreserve(s, store_cost(size));
	if (e) {
		if (e == ENOSPC)
			store_full_disk(s);
		errno = e;
		return rx_fail_errno(err, "store '%s': putting '%s' in place", s->dir, name);
	}
	return true;
}

void store_unlink(struct store *s, struct store_area *a, const char *name, ino_t ino, int64_t size)
{
	unsigned shard = shard_of(name);
	pthread_mutex_t *stripe = store_stripe(s, a, shard);
	struct stat st;

	pthread_mutex_lock(stripe);
	if (fstatat(a->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == ino &&
	    unlinkat(a->fd, name, 0) == 0 && a->shards[shard].listed)
		store_account(s, a, -store_cost(size), -1);
	pthread_mutex_unlock(stripe);
}

bool store_has(struct store *s, const struct digest *d)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	char name[STORE_NAME_MAX];
	struct store_area *a;
	struct stat st;
	bool fresh;

	if (digest_is_empty_blob(d)) /* REAPI rule 32 */
		return true;
	a = store_area_of(s, d, &ignored);
	if (!a)
		return false;
	store_name(d, name);
	/* The promise comes before the look: an eviction either sees it or was before it. */
	fresh = store_promise(s, store_key(d));
	if (fstatat(a->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size != d->size)
		return false;
	if (fresh)
		store_touch(s, a, name, &st, store_key(d));
	return true;
}

static bool mismatch(const struct digest *d, const struct digest *got, struct rx_err *err)
{
	char want[DIGEST_TEXT_MAX], have[DIGEST_TEXT_MAX];

	digest_format(d, want);
	digest_format(got, have);
	return rx_fail(err, RX_EDIGEST, "the content is not that of its digest %s: it has %s", want,
		       have);
}

bool store_put(struct store *s, const struct digest *d, struct rx_view bytes, struct rx_err *err)
{
	struct store_area *a = store_area_of(s, d, err);
	char name[STORE_NAME_MAX], temp[32];
	struct digest got;
	int fd;

	if (!a)
		return false;
	digest_of_view((enum digest_function)d->function, bytes, &got);
	if (!digest_eq(&got, d)) /* REAPI rules 7, 93 */
		return mismatch(d, &got, err);
	if (store_has(s, d))
		return true;
	if (!store_reserve(s, store_cost(d->size), err))
		return false;
	fd = store_temp(s, temp, err);
	if (fd < 0) {
		store_unreserve(s, store_cost(d->size));
		return false;
	}
	if (!file_write_fd(fd, bytes.p, bytes.n, err)) {
		if (err->sys_errno == ENOSPC)
			store_full_disk(s);
		close(fd);
		unlinkat(s->tmp_fd, temp, 0);
		store_unreserve(s, store_cost(d->size));
		return rx_wrap(err, "store '%s'", s->dir);
	}
	close(fd);
	store_name(d, name);
	return store_commit(s, a, temp, name, d->size, false, err);
}

/* An open file of the right size, touched, or -1. */
static int store_open_at(struct store *s, const struct digest *d, struct stat *st,
			 struct rx_err *err)
{
	struct store_area *a = store_area_of(s, d, err);
	char name[STORE_NAME_MAX];
	bool fresh;
	int fd;

	if (!a)
		return -1;
	store_name(d, name);
	fresh = store_promise(s, store_key(d));
	fd = openat(a->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		if (errno != ENOENT)
			rx_fail_errno(err, "store '%s': opening '%s'", s->dir, name);
		return -1;
	}
	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode) || st->st_size != d->size) {
		close(fd); /* torn: as good as absent, the next put replaces it */
		return -1;
	}
	if (fresh)
		store_touch(s, a, name, st, store_key(d));
	return fd;
}

int store_open(struct store *s, const struct digest *d, struct rx_err *err)
{
	struct stat st;

	return store_open_at(s, d, &st, err);
}

void store_drop(struct store *s, const struct digest *d, int fd)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	struct store_area *a = store_area_of(s, d, &ignored);
	char name[STORE_NAME_MAX];
	struct stat st;

	if (!a || fstat(fd, &st) != 0)
		return;
	store_name(d, name);
	store_unlink(s, a, name, st.st_ino, d->size);
}

static bool absent(const struct digest *d, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	digest_format(d, text);
	return rx_fail(err, RX_ENOENT, "blob %s is not in the store", text);
}

bool store_read(struct store *s, const struct digest *d, size_t max, struct rx_buf *out,
		struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = -1;
	char text[DIGEST_TEXT_MAX];
	struct digest got;
	struct stat st;
	size_t n = (size_t)d->size, read_n;
	char *p;

	digest_format(d, text);
	if (d->size < 0 || n > max)
		return rx_fail(err, RX_ELIMIT, "blob %s is larger than the limit of %zu bytes",
			       text, max);
	if (digest_is_empty_blob(d))
		return true;
	fd = store_open_at(s, d, &st, err);
	if (fd < 0)
		return err->code == RX_OK && absent(d, err);
	p = rx_buf_reserve(out, n);
	if (!p)
		return rx_fail(err, RX_ELIMIT, "blob %s does not fit into its buffer", text);
	if (!file_pread(fd, p, n, 0, &read_n, err))
		return rx_wrap(err, "store '%s': blob %s", s->dir, text);
	digest_of((enum digest_function)d->function, p, read_n, &got);
	if (!digest_eq(&got, d)) {
		store_drop(s, d, fd);
		return absent(d, err);
	}
	rx_buf_grew(out, n);
	return true;
}

int store_open_verified(struct store *s, const struct digest *d, struct rx_err *err)
{
	uint64_t key = store_key(d), content;
	char text[DIGEST_TEXT_MAX];
	struct digest got;
	struct stat st;
	bool known;
	int fd = store_open_at(s, d, &st, err);

	if (fd < 0) {
		if (err->code == RX_OK)
			absent(d, err);
		return -1;
	}
	/* Asked again: the touch of store_open_at may have moved the clock. */
	if (fstat(fd, &st) != 0) {
		rx_fail_errno(err, "store '%s'", s->dir);
		close(fd);
		return -1;
	}
	content = store_content_key(key, &st);
	pthread_mutex_lock(&s->recent);
	known = keyset_has(&s->verified, content);
	pthread_mutex_unlock(&s->recent);
	if (known)
		return fd;
	if (!digest_of_fd((enum digest_function)d->function, fd, d->size, &got, err)) {
		digest_format(d, text);
		rx_wrap(err, "store '%s': blob %s", s->dir, text);
		close(fd);
		return -1;
	}
	if (!digest_eq(&got, d)) {
		store_drop(s, d, fd);
		close(fd);
		absent(d, err);
		return -1;
	}
	pthread_mutex_lock(&s->recent);
	keyset_add(&s->verified, content);
	pthread_mutex_unlock(&s->recent);
	return fd;
}
