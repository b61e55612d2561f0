/* hash: streaming content hashes. One object per thread and stream; objects are reused (hash_begin)
 * because every thread needs one and they are not small. */
#pragma once

#include "err.h"

enum hash_kind {
	HASH_SHA256,
	HASH_SHA1,
	HASH_MD5,
	HASH_SHA384,
	HASH_SHA512,
	HASH_SHA256TREE, /* REAPI's SHA256TREE: a binary tree over 1 KiB leaves */
	HASH_GITSHA1 /* SHA-1 over "blob <size>\0" and the content: the size must be known at the
			start */
};
#define HASH_MAX_LEN 64

struct hash;
struct hash *hash_new(void);
void hash_free(struct hash *h);
void hash_begin(struct hash *h, enum hash_kind kind,
		int64_t size); /* size only matters to HASH_GITSHA1 */
void hash_add(struct hash *h, const void *p, size_t n);
size_t hash_end(struct hash *h, uint8_t out[HASH_MAX_LEN]); /* returns the length */
size_t hash_length(enum hash_kind kind);
/* One shot, with this thread's own object. Thread-safe. */
size_t hash_bytes(enum hash_kind kind, const void *p, size_t n, uint8_t out[HASH_MAX_LEN]);
