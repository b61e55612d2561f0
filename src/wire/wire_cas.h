/* wire_cas: FindMissingBlobs, BatchUpdateBlobs, BatchReadBlobs, GetTree, both sides. */
#pragma once

#include "wire_status.h"

#define WIRE_CAS "/build.bazel.remote.execution.v2.ContentAddressableStorage/"

/* FindMissingBlobs */
struct wire_find {
	const char *instance;
	enum digest_function function;
	struct wire_digests digests;
};
void wire_find_pack(const struct wire_find *m, struct rx_buf *out);
RX_MUST_USE bool wire_find_unpack(struct arena *a, struct rx_view bytes, struct wire_find *out,
				  struct rx_err *err);
void wire_missing_pack(const struct wire_digests *missing, struct rx_buf *out);
RX_MUST_USE bool wire_missing_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
				     struct wire_digests *out, struct rx_err *err);

/* BatchUpdateBlobs. Packing is by hand, straight into the buffer that gRPC sends: a header
 * (instance, function), then entries of exactly wire_update_entry_size bytes each (REAPI rule 47).
 */
size_t wire_update_header_size(const char *instance, enum digest_function f);
size_t
wire_update_entry_size(const struct digest *d); /* compressor identity, data of d->size bytes */
void wire_update_add_header(struct rx_buf *out, const char *instance, enum digest_function f);
/* Writes everything of an entry but its data and returns where the d->size bytes of data go; NULL
 * when out is full. */
char *wire_update_add_entry(struct rx_buf *out, const struct digest *d);
struct wire_update_entry {
	struct digest digest;
	bool digest_ok; /* false: `why` says what is wrong with it (the entry fails alone) */
	const char *why;
	enum compressor compressor;
	struct rx_view data; /* into the message */
};
struct wire_update {
	const char *instance;
	enum digest_function function;
	struct wire_update_entry *entries;
	size_t n;
};
RX_MUST_USE bool wire_update_unpack(struct arena *a, struct rx_view bytes, struct wire_update *out,
				    struct rx_err *err);

/* Answers of BatchUpdateBlobs and BatchReadBlobs: in any order (REAPI rule 62). */
struct wire_blob_status {
	struct digest digest;
	int code; /* 0 = OK; absent status = OK */
	const char *message;
	enum compressor compressor;
	struct rx_view data; /* reads only; into the message */
};
struct wire_blob_statuses {
	struct wire_blob_status *v;
	size_t n;
};
void wire_update_reply_pack(const struct wire_blob_statuses *m, struct rx_buf *out);
RX_MUST_USE bool wire_update_reply_unpack(struct arena *a, struct rx_view bytes,
					  enum digest_function f, struct wire_blob_statuses *out,
					  struct rx_err *err);

/* BatchReadBlobs */
struct wire_read {
	const char *instance;
	enum digest_function function;
	struct wire_digests digests;
	bool accepts_zstd;
};
void wire_read_pack(const struct wire_read *m, struct rx_buf *out);
RX_MUST_USE bool wire_read_unpack(struct arena *a, struct rx_view bytes, struct wire_read *out,
				  struct rx_err *err);
void wire_read_reply_pack(const struct wire_blob_statuses *m, struct rx_buf *out);
RX_MUST_USE bool wire_read_reply_unpack(struct arena *a, struct rx_view bytes,
					enum digest_function f, struct wire_blob_statuses *out,
					struct rx_err *err);
size_t
wire_read_reply_entry_size(const struct digest *d); /* bytes one OK entry takes in the answer */

/* As wire_update_add_entry: an OK entry whose d->size bytes of data go where it returns. */
char *wire_read_reply_add_entry(struct rx_buf *out, const struct digest *d);

/* GetTree */
struct wire_get_tree {
	const char *instance;
	enum digest_function function;
	struct digest root;
	int32_t page_size;
	const char *page_token;
};
void wire_get_tree_pack(const struct wire_get_tree *m, struct rx_buf *out);
RX_MUST_USE bool wire_get_tree_unpack(struct arena *a, struct rx_view bytes,
				      struct wire_get_tree *out, struct rx_err *err);
struct wire_tree_page {
	struct rx_view *directories; /* raw bytes */
	size_t n;
	const char *next_page_token;
};
void wire_tree_page_pack(const struct wire_tree_page *m, struct rx_buf *out);
RX_MUST_USE bool wire_tree_page_unpack(struct arena *a, struct rx_view bytes,
				       struct wire_tree_page *out, struct rx_err *err);
