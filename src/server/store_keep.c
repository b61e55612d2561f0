/* store_keep: how full the store is, what it has promised to keep, and what goes when it is full.
 */
#include "store_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "utf8.h"

#define KEYSET_MAX ((size_t)1 << 22)
/* Eviction starts above 95 % in the background and goes down to 90 %. */
#define HIGH_MARK(max) ((max) / 100 * 95)
#define LOW_MARK(max)  ((max) / 100 * 90)
/* After an eviction that freed nothing the answer stays "full" for this long, or ten times as long
 * as the eviction took. */
#define RETRY_NS 200000000LL
/* A waiter's room may be taken by another one. */
#define RESERVE_TRIES 8

static size_t keyset_place(const struct keyset *k, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (k->cap - 1);

	while (k->v[i] && k->v[i] != key)
		i = (i + 1) & (k->cap - 1);
	return i;
}

bool keyset_has(const struct keyset *k, uint64_t key)
{
	key += key == 0;
	return k->cap && k->v[keyset_place(k, key)] == key;
}

bool keyset_add(struct keyset *k, uint64_t key)
{
	size_t i;

	key += key == 0;
	if (2 * (k->n + 1) > k->cap) {
		struct keyset bigger = { .cap = k->cap ? 2 * k->cap : 1024, .n = k->n };

		bigger.v = xcalloc(bigger.cap, sizeof(*bigger.v));
		for (size_t j = 0; j < k->cap; j++)
			if (k->v[j])
				bigger.v[keyset_place(&bigger, k->v[j])] = k->v[j];
		free(k->v);
		*k = bigger;
	}
	i = keyset_place(k, key);
	if (k->v[i])
		return false;
	k->v[i] = key;
	k->n++;
	return true;
}

void keyset_clear(struct keyset *k)
{
	free(k->v);
	*k = (struct keyset){ 0 };
}

static uint64_t hash_key(const uint8_t hash[8], enum digest_function f)
{
	uint64_t key;

	memcpy(&key, hash, sizeof(key));
	return key ^ (uint64_t)f << 56;
}

uint64_t store_key(const struct digest *d)
{
	return hash_key(d->hash, (enum digest_function)d->function);
}

uint64_t store_content_key(uint64_t key, const struct stat *st)
{
	uint64_t t = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;

	return key ^ (uint64_t)st->st_ino * 0x9e3779b97f4a7c15u ^ t * 0xc2b2ae3d27d4eb4fu;
}

/* With the lock held. A flood of digests shortens promises instead of filling memory. */
static void rotate(struct store *s)
{
	int64_t age = clock_mono_ns() - s->rotated_ns;

	if (s->now.n < KEYSET_MAX && age <= s->promise_ns)
		return;
	keyset_clear(&s->before);
	if (age <= 2 * s->promise_ns)
		s->before = s->now;
	else
		keyset_clear(&s->now);
	s->now = (struct keyset){ 0 };
	s->rotated_ns = clock_mono_ns();
}

static bool is_promised(struct store *s, uint64_t key)
{
	rotate(s);
	return keyset_has(&s->now, key) || keyset_has(&s->before, key);
}

bool store_promise(struct store *s, uint64_t key)
{
	bool fresh;

	pthread_mutex_lock(&s->recent);
	rotate(s);
	fresh = keyset_add(&s->now, key);
	pthread_mutex_unlock(&s->recent);
	return fresh;
}

void store_touch(struct store *s, const struct store_area *a, const char *name,
		 const struct stat *st, uint64_t key)
{
	int64_t now = clock_wall_ns();
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { now / 1000000000, now % 1000000000 } };
	struct stat moved = *st;

	/* Also when the clock was set back and the file seems to be of the future. */
	if (mtime <= now && now - mtime < s->promise_ns / 2)
		return;
	if (utimensat(a->fd, name, times, AT_SYMLINK_NOFOLLOW) != 0)
		return; /* evicted meanwhile, or another user's file: it just looks older */
	moved.st_mtim = times[1];
	pthread_mutex_lock(&s->recent);
	if (keyset_has(&s->verified, store_content_key(key, st)))
		keyset_add(&s->verified, store_content_key(key, &moved));
	if (s->verified.n >= KEYSET_MAX)
		keyset_clear(&s->verified);
	pthread_mutex_unlock(&s->recent);
}

int64_t store_cost(int64_t size)
{
	return (size + STORE_BLOCK - 1) / STORE_BLOCK * STORE_BLOCK;
}

void store_account(struct store *s, const struct store_area *a, int64_t cost, int files)
{
	pthread_mutex_lock(&s->used);
	s->counted += cost;
	if (a->function != DIGEST_UNKNOWN)
		s->blobs += (size_t)files;
	pthread_mutex_unlock(&s->used);
}

void store_unreserve(struct store *s, int64_t cost)
{
	pthread_mutex_lock(&s->used);
	s->reserved -= cost;
	pthread_mutex_unlock(&s->used);
}

static void ask_for_eviction(struct store *s, int64_t need)
{
	s->need = RX_MAX(s->need, need);
	s->want = true;
	pthread_cond_signal(&s->wake);
}

static bool has_room(const struct store *s, int64_t cost)
{
	return !s->listed || s->counted + s->reserved + cost <= s->max_size;
}

static bool worth_a_pass(const struct store *s)
{
	return s->last_freed > 0 || clock_mono_ns() > s->retry_at_ns;
}

bool store_reserve(struct store *s, int64_t cost, struct rx_err *err)
{
	int64_t used;
	bool ok;

	pthread_mutex_lock(&s->used);
	for (int i = 0; i < RESERVE_TRIES && !has_room(s, cost) && cost <= s->max_size &&
			worth_a_pass(s) && !s->stop;
	     i++) {
		/* One that starts from now on counts this need in. */
		uint64_t ticket = s->passes_started + 1;

		ask_for_eviction(s, cost);
		while (s->passes_done < ticket && !s->stop)
			pthread_cond_wait(&s->done, &s->used);
	}
	ok = has_room(s, cost);
	used = s->counted + s->reserved;
	if (ok)
		s->reserved += cost;
	if (ok && s->listed && used + cost > HIGH_MARK(s->max_size) && !s->want &&
	    clock_mono_ns() > s->retry_at_ns)
		ask_for_eviction(s, 0);
	pthread_mutex_unlock(&s->used);
	if (!ok) {
		rx_fail(err, RX_EIO,
			"store '%s' is full: %" PRId64 " of %" PRId64
			" bytes are in recent use and %" PRId64
			" more are needed (raise --max-size)",
			s->dir, used, s->max_size, cost);
		err->sys_errno = ENOSPC; /* as a disk that is full would say */
		return false;
	}
	return true;
}

void store_full_disk(struct store *s)
{
	pthread_mutex_lock(&s->used);
	if (s->listed && clock_mono_ns() > s->retry_at_ns)
		ask_for_eviction(s, s->max_size - s->counted + s->counted / 10);
	pthread_mutex_unlock(&s->used);
}

/* "<hex>-<size>": the size, -1 for names that are not ours. */
static int64_t name_size(const char *name)
{
	const char *dash = strchr(name, '-');
	int64_t size = 0;

	if (!dash || dash - name < 16 || !dash[1])
		return -1;
	for (const char *p = dash + 1; *p; p++)
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, *p - '0', &size))
			return -1;
	return size;
}

/* Lists one shard; NULL when it is empty. */
static DIR *shard_open(const struct store_area *a, unsigned shard)
{
	char dir[3];
	int fd;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "%02x", shard & 255);
	fd = openat(a->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	d = fdopendir(fd);
	if (!d)
		close(fd);
	return d;
}

static bool stopping(struct store *s)
{
	bool stop;

	pthread_mutex_lock(&s->used);
	stop = s->stop;
	pthread_mutex_unlock(&s->used);
	return stop;
}

/* A result's name tells the size of its key, not of the file: there it takes a stat. */
static void list_shard(struct store *s, struct store_area *a, unsigned shard)
{
	pthread_mutex_t *stripe = store_stripe(s, a, shard);
	int64_t cost = 0;
	int files = 0;
	DIR *d;

	pthread_mutex_lock(stripe);
	d = shard_open(a, shard);
	for (struct dirent *e; d && (e = readdir(d));) {
		int64_t size = name_size(e->d_name);
		struct stat st;

		if (size >= 0 && a->function == DIGEST_UNKNOWN)
			size = fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
				       ? (int64_t)st.st_size
				       : -1;
		if (size < 0)
			continue;
		cost += store_cost(size);
		files++;
	}
	if (d)
		closedir(d);
	a->shards[shard].listed = true;
	store_account(s, a, cost, files);
	pthread_mutex_unlock(stripe);
}

static bool
walk_shards(struct store *s,
	    void (*fn)(struct store *s, struct store_area *a, unsigned shard, void *ctx), void *ctx)
{
	for (size_t i = 0; i < s->n_areas; i++)
		for (unsigned shard = 0; shard < STORE_SHARDS; shard++) {
			if (stopping(s))
				return false;
			fn(s, s->areas[i], shard, ctx);
		}
	return true;
}

static void list_one(struct store *s, struct store_area *a, unsigned shard, void *ctx)
{
	(void)ctx;
	list_shard(s, a, shard);
}

/* What could go: not promised, not used within the window. */
struct old_file {
	int64_t mtime, cost;
};
struct eviction {
	int64_t before; /* wall clock: used later = promised */
	int64_t latest; /* a clock set back makes files of the future: they count as oldest */
	struct old_file *v;
	size_t n, cap;
	int64_t cutoff, goal, freed;
};

static bool is_old(struct store *s, const struct store_area *a, const char *name,
		   const struct stat *st, const struct eviction *e, int64_t *mtime)
{
	uint8_t hash[8];
	bool promised;

	*mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	if (*mtime > e->latest)
		*mtime = 0;
	if (*mtime > e->before || !hex_decode(name, 16, hash))
		return false;
	if (a->function == DIGEST_UNKNOWN)
		return true;
	pthread_mutex_lock(&s->recent);
	promised = is_promised(s, hash_key(hash, a->function));
	pthread_mutex_unlock(&s->recent);
	return !promised;
}

static void collect_old(struct store *s, struct store_area *a, unsigned shard, void *ctx)
{
	struct eviction *ev = ctx;
	DIR *d = shard_open(a, shard);
	int64_t mtime;

	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat st;

		if (name_size(e->d_name) < 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !is_old(s, a, e->d_name, &st, ev, &mtime))
			continue;
		RX_GROW(ev->v, ev->n, ev->cap);
		ev->v[ev->n++] = (struct old_file){ mtime, store_cost(st.st_size) };
	}
	if (d)
		closedir(d);
}

/* The last look at the promises and the unlink are one step (see store_has). */
static bool evict_file(struct store *s, struct store_area *a, DIR *d, const char *name)
{
	uint8_t hash[8];
	uint64_t key;
	bool gone = false;

	if (!hex_decode(name, 16, hash))
		return false;
	key = hash_key(hash, a->function);
	pthread_mutex_lock(&s->recent);
	if (a->function == DIGEST_UNKNOWN || !is_promised(s, key))
		gone = unlinkat(dirfd(d), name, 0) == 0;
	pthread_mutex_unlock(&s->recent);
	return gone;
}

static void evict_old(struct store *s, struct store_area *a, unsigned shard, void *ctx)
{
	struct eviction *ev = ctx;
	pthread_mutex_t *stripe = store_stripe(s, a, shard);
	DIR *d;
	int64_t mtime;

	if (ev->freed >= ev->goal)
		return;
	pthread_mutex_lock(stripe);
	d = shard_open(a, shard);
	for (struct dirent *e; d && ev->freed < ev->goal && (e = readdir(d));) {
		int64_t size = name_size(e->d_name), cost;
		struct stat st;

		if (size < 0 || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !is_old(s, a, e->d_name, &st, ev, &mtime) || mtime > ev->cutoff)
			continue;
		cost = store_cost(a->function == DIGEST_UNKNOWN ? (int64_t)st.st_size : size);
		if (!evict_file(s, a, d, e->d_name))
			continue;
		ev->freed += cost;
		store_account(s, a, -cost, -1);
	}
	if (d)
		closedir(d);
	pthread_mutex_unlock(stripe);
}

static int by_time(const void *x, const void *y)
{
	const struct old_file *a = x, *b = y;

	return a->mtime < b->mtime ? -1 : a->mtime > b->mtime;
}

/* Two walks and no list of names: the first finds the time before which enough was last used, the
 * second removes what is older. */
static int64_t evict(struct store *s, int64_t goal)
{
	int64_t now = clock_wall_ns();
	struct eviction ev = { .before = now - s->promise_ns,
			       .latest = now + s->promise_ns,
			       .goal = goal };
	int64_t sum = 0;

	if (walk_shards(s, collect_old, &ev) && ev.n) {
		qsort(ev.v, ev.n, sizeof(*ev.v), by_time);
		for (size_t i = 0; i < ev.n && sum < goal; i++) {
			ev.cutoff = ev.v[i].mtime;
			sum += ev.v[i].cost;
		}
		(void)walk_shards(s, evict_old, &ev);
	}
	free(ev.v);
	rx_debug("store: evicted %" PRId64 " of %" PRId64 " bytes asked for", ev.freed, goal);
	return ev.freed;
}

/* Half of what the disk could give, counting what the store already has. */
static int64_t default_max(const struct store *s, int64_t have)
{
	struct statvfs v;

	if (s->max_option > 0)
		return s->max_option;
	if (fstatvfs(s->root_fd, &v) != 0)
		return STORE_MAX_SIZE;
	return RX_MIN(STORE_MAX_SIZE, (int64_t)(v.f_bavail * v.f_frsize / 2) + have / 2);
}

static void *keeper(void *arg)
{
	struct store *s = arg;
	bool listed = walk_shards(s, list_one, NULL);

	pthread_mutex_lock(&s->used);
	s->listed = listed;
	s->max_size = default_max(s, s->counted);
	/* An older, smaller or lowered limit may be passed already. */
	if (s->counted + s->reserved > s->max_size)
		ask_for_eviction(s, 0);
	pthread_cond_broadcast(&s->done);
	while (!s->stop) {
		int64_t goal, freed, start;

		if (!s->want) {
			pthread_cond_wait(&s->wake, &s->used);
			continue;
		}
		goal = s->counted + s->reserved -
		       RX_MIN(LOW_MARK(s->max_size), s->max_size - s->need);
		s->want = false;
		s->need = 0;
		s->passes_started++;
		pthread_mutex_unlock(&s->used);
		start = clock_mono_ns();
		freed = goal > 0 ? evict(s, goal) : 0;
		pthread_mutex_lock(&s->used);
		s->last_freed = freed;
		s->retry_at_ns = clock_mono_ns();
		s->retry_at_ns += RX_MAX(RETRY_NS, 10 * (s->retry_at_ns - start));
		s->passes_done = s->passes_started;
		pthread_cond_broadcast(&s->done);
	}
	pthread_mutex_unlock(&s->used);
	return NULL;
}

bool store_keep_start(struct store *s, struct rx_err *err)
{
	s->rotated_ns = clock_mono_ns();
	s->max_size = default_max(s, 0);
	errno = pthread_create(&s->keeper, NULL, keeper, s);
	if (errno)
		return rx_fail_errno(err, "starting the store's thread");
	s->has_keeper = true;
	return true;
}

void store_keep_stop(struct store *s)
{
	if (!s->has_keeper)
		return;
	pthread_mutex_lock(&s->used);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->used);
	pthread_join(s->keeper, NULL);
}

void store_stats(struct store *s, struct store_stats *out)
{
	pthread_mutex_lock(&s->used);
	*out = (struct store_stats){ s->counted, s->max_size, s->blobs };
	pthread_mutex_unlock(&s->used);
}

void store_settle(struct store *s)
{
	pthread_mutex_lock(&s->used);
	while (!s->stop && (!s->listed || s->want || s->passes_done != s->passes_started))
		pthread_cond_wait(&s->done, &s->used);
	pthread_mutex_unlock(&s->used);
}
