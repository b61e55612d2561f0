/* store: blobs and action results on disk. Files appear by rename, are verified when read, and are
 * never lent out.
 *
 * Layout below the directory: cas/<function>/<2 hex>/<hash>-<size>, ac/<name space>/<2
 * hex>/<key>-<size>, tmp/, store.lock. Durability: a blob's bytes are not fsynced one by one; a
 * torn file after power loss fails its verification when read and is dropped as if evicted.
 *
 * There is no index: presence is a stat, the modification time is the clock of last use, sizes are
 * in the names. A thread of the store lists the directories after the start (names only) to learn
 * how full it is; eviction begins after that. What was put, read or reported present within the
 * promise window is never evicted: a store full of such blobs refuses more (RX_ELIMIT).
 * Thread-safe. */
#pragma once

#include "source.h"
#include "result.h"

struct store;
struct store_options {
	const char *dir;
	int64_t max_size; /* bytes; 0 = STORE_MAX_SIZE or half of the free space, whichever is less
			   */
	const char *ac_space; /* name space of results: host fingerprint and sandbox mode */
	int64_t promise_ms;   /* 0 = STORE_PROMISE_MS */
};
#define STORE_MAX_SIZE   (20LL << 30)
#define STORE_PROMISE_MS 600000
/* Every file counts as whole blocks, as it does on disk. */
#define STORE_BLOCK 4096
/* RX_EEXIST when another process, or this one, has the directory open. */
struct store *store_new(const struct store_options *o, struct rx_err *err);
void store_free(struct store *s);

/* Whether it is there; if so it is kept from eviction for a while (REAPI rules 32, 58). */
bool store_has(struct store *s, const struct digest *d);
/* Whole blob, verified against d before it becomes visible: RX_EDIGEST. */
RX_MUST_USE bool store_put(struct store *s, const struct digest *d, struct rx_view bytes,
			   struct rx_err *err);
/* In pieces. end verifies. free without end drops it. */
struct store_writer;
struct store_writer *store_writer_new(struct store *s, const struct digest *d, struct rx_err *err);
RX_MUST_USE bool store_writer_add(struct store_writer *w, struct rx_view bytes,
				  struct rx_err *err); /* RX_EDIGEST past size */
int64_t store_writer_size(const struct store_writer *w);
RX_MUST_USE bool store_writer_end(struct store_writer *w, struct rx_err *err);
void store_writer_free(struct store_writer *w);
/* An existing file of ours is taken over by copy or reflink (verified while copied). */
RX_MUST_USE bool store_put_file(struct store *s, const struct digest *d, int fd,
				struct rx_err *err);
/* Read-only descriptor of a blob; -1 when absent (err untouched) or on failure (err set). Size was
 * checked. */
int store_open(struct store *s, const struct digest *d, struct rx_err *err);
/* Verified content; RX_ENOENT when absent; a corrupt file is dropped and counts as absent. */
RX_MUST_USE bool store_read(struct store *s, const struct digest *d, size_t max, struct rx_buf *out,
			    struct rx_err *err);
/* Removes a blob that turned out to be corrupt: fd is the file that was read, so that a good copy
 * put meanwhile stays. */
void store_drop(struct store *s, const struct digest *d, int fd);
/* Both live as long as the store. Files over STORE_BYTES_MAX are delivered as files, verified once
 * per process and change of the file; smaller ones as bytes, verified each time. */
#define STORE_BYTES_MAX (1 << 20)
struct blob_sink *store_sink(struct store *s);
struct blob_source *store_source(struct store *s);

/* Action results as bytes. get: false in *hit when absent. */
RX_MUST_USE bool store_ac_get(struct store *s, const char *instance, const struct digest *action,
			      struct rx_buf *out, bool *hit, struct rx_err *err);
RX_MUST_USE bool store_ac_put(struct store *s, const char *instance, const struct digest *action,
			      struct rx_view result, struct rx_err *err);

struct store_stats {
	int64_t bytes, max_size; /* bytes: blobs and results, in whole blocks */
	size_t blobs;            /* without results */
};
void store_stats(struct store *s, struct store_stats *out);
/* Waits until the first listing and evictions asked for so far are done. */
void store_settle(struct store *s);
