/* store_parts: what the files of the store share: areas and shards, accounting, recency. Only
 * store*.c include it. */
#pragma once

#include <pthread.h>
#include <sys/stat.h>

#include "file.h"
#include "store.h"

#define STORE_SHARDS   256
#define STORE_STRIPES  64
#define STORE_AREAS    64 /* functions and name spaces of results, old ones too */
#define STORE_NAME_MAX 192

/* A directory of 256 shards: the blobs of one digest function, or one name space of results. */
struct store_shard {
	bool listed; /* its files are in the account; guarded by the stripe */
};
struct store_area {
	char *path; /* below the store, "cas/sha256" */
	int fd;
	enum digest_function function; /* DIGEST_UNKNOWN: results */
	struct store_shard shards[STORE_SHARDS];
};

/* A set of 64-bit fingerprints of digests: hashes are uniform, so 64 bits of them are a key. A
 * collision keeps one blob too long or skips one verification of 2^64. */
struct keyset {
	uint64_t *v; /* 0 = free */
	size_t n, cap;
};
bool keyset_add(struct keyset *k, uint64_t key); /* false when it was there */
bool keyset_has(const struct keyset *k, uint64_t key);
void keyset_clear(struct keyset *k);

struct store {
	char *dir;
	int root_fd, tmp_fd, lock_fd;
	int64_t max_option, promise_ns;
	struct store_area *areas[STORE_AREAS]; /* fixed after store_new */
	size_t n_areas;
	struct store_area *cas[16]; /* by function */
	struct store_area *ac;      /* the name space in use */
	/* Renames into and unlinks from a shard happen under its stripe, so that the account is
	 * exact. Taken before `used`. */
	pthread_mutex_t stripes[STORE_STRIPES];

	/* Promises: two generations of what was touched, each a window long, so a promise lasts
	 * between one and two windows. An eviction unlinks under this lock. */
	pthread_mutex_t recent;
	struct keyset now, before;
	int64_t rotated_ns;
	struct keyset verified; /* large files whose content was checked */

	pthread_mutex_t used; /* guards all below */
	pthread_cond_t wake, done;
	int64_t counted, reserved, max_size;
	size_t blobs;
	bool listed; /* the first listing is complete */
	bool stop, want;
	int64_t need;                         /* room somebody waits for */
	uint64_t passes_started, passes_done; /* evictions */
	int64_t retry_at_ns, last_freed;      /* of the last one */
	pthread_t keeper;
	bool has_keeper;

	struct blob_sink sink;
	struct blob_source source;
	uint64_t temp; /* atomic: names of temporary files */
};

/* store.c */
/* "ab/<hash>-<size>" */
void store_name(const struct digest *d, char out[STORE_NAME_MAX]);
/* The area of d's function, NULL (RX_EUSAGE) when it is not supported. */
struct store_area *store_area_of(struct store *s, const struct digest *d, struct rx_err *err);
pthread_mutex_t *store_stripe(struct store *s, const struct store_area *a, unsigned shard);
/* A fresh file in tmp/; name gets its name. */
int store_temp(struct store *s, char name[32], struct rx_err *err);
/* Moves tmp/<temp> to its place and into the account, or removes it when an equally long file is
 * there already and replace is false; in both cases the reservation of its cost is given back. On
 * failure the temporary file is gone, too. */
bool store_commit(struct store *s, struct store_area *a, const char *temp, const char *name,
		  int64_t size, bool replace, struct rx_err *err);
/* Removes a file under its stripe, adjusting the account. */
void store_unlink(struct store *s, struct store_area *a, const char *name, ino_t ino, int64_t size);
/* Like store_open, verified: RX_ENOENT when absent or corrupt. */
int store_open_verified(struct store *s, const struct digest *d, struct rx_err *err);

/* store_keep.c */
int64_t store_cost(int64_t size);
/* Room for size bytes, waiting for an eviction when it takes one. */
bool store_reserve(struct store *s, int64_t cost, struct rx_err *err);
void store_unreserve(struct store *s, int64_t cost);
void store_account(struct store *s, const struct store_area *a, int64_t cost, int files);
void store_full_disk(struct store *s); /* ENOSPC: makes room for the next one */
uint64_t store_key(const struct digest *d);
bool store_promise(struct store *s, uint64_t key); /* true: new in this generation */
/* Moves the file's clock when it is old enough to matter. */
void store_touch(struct store *s, const struct store_area *a, const char *name,
		 const struct stat *st, uint64_t key);
uint64_t store_content_key(uint64_t key, const struct stat *st);
bool store_keep_start(struct store *s, struct rx_err *err);
void store_keep_stop(struct store *s);

/* store_source.c */
void store_source_init(struct store *s);
