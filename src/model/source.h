/* source: where blobs come from and where they go, so that tree, lint and scrub cannot tell a
 * server from a disk. */
#pragma once

#include "arena.h"
#include "digest.h"

/* One blob on its way out. Either bytes (valid during the call, unless `take` says otherwise) or a
 * file. */
struct blob {
	struct digest digest;
	struct rx_view bytes; /* when path is NULL */
	const char *path;     /* absolute, or relative to dirfd */
	int dirfd;
	const char *name; /* what messages call it: "src/big.bin"; may be NULL */
};

/* Takes blobs while a tree is walked, so that sending overlaps hashing. put may be called from
 * several threads at once, may block (back-pressure), copies what it keeps. Duplicates are welcome.
 */
struct blob_sink {
	RX_MUST_USE bool (*put)(struct blob_sink *self, const struct blob *b, struct rx_err *err);
};

/* Takes fetched blobs. For each wanted digest exactly one of: bytes; file; or open, writes to the
 * descriptor, close. Calls may come from several threads, for different digests at once. Content is
 * verified before `bytes`, `file`, and before close with ok = true. Returning false stops the
 * fetch. */
struct blob_receiver {
	RX_MUST_USE bool (*bytes)(struct blob_receiver *self, const struct digest *d,
				  struct rx_view bytes, struct rx_err *err);
	/* The blob is an open file of the store: clone or copy it, never link it. */
	RX_MUST_USE bool (*file)(struct blob_receiver *self, const struct digest *d, int fd,
				 struct rx_err *err);
	/* A descriptor to write the content to, -1 on failure. It stays the receiver's; close ends
	 * its use. */
	int (*open)(struct blob_receiver *self, const struct digest *d, struct rx_err *err);
	RX_MUST_USE bool (*close)(struct blob_receiver *self, const struct digest *d, int fd,
				  bool ok, struct rx_err *err);
	/* What the descriptor is, for messages: a path below the target. NULL: nobody can tell. */
	const char *(*name)(struct blob_receiver *self, const struct digest *d);
};

struct digest_list {
	struct digest *v;
	size_t n, cap;
};
void digest_list_add(struct digest_list *l, const struct digest *d);
void digest_list_release(struct digest_list *l);

struct blob_source {
	/* Delivers each wanted blob (duplicates in `want` are delivered once). Blobs that are not
	 * there are appended to missing and are no error. The empty blob is delivered without
	 * asking anybody. */
	RX_MUST_USE bool (*fetch)(struct blob_source *self, const struct digest *want, size_t n,
				  struct blob_receiver *to, struct digest_list *missing,
				  struct rx_err *err);
};
/* One small blob into out (appended); RX_ENOENT when missing, RX_ELIMIT when larger than max. */
RX_MUST_USE bool source_read(struct blob_source *s, const struct digest *d, size_t max,
			     struct rx_buf *out, struct rx_err *err);
/* Several small blobs at once: out[i] in the arena; views with p == NULL are missing. Total limited
 * by max_total. */
RX_MUST_USE bool source_read_many(struct blob_source *s, const struct digest *want, size_t n,
				  size_t max_each, size_t max_total, struct arena *a,
				  struct rx_view *out, struct rx_err *err);
