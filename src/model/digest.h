/* digest: what identifies a blob: hash, function and size. Plain value; compare with digest_eq,
 * never with memcmp. */
#pragma once

#include "err.h"
#include "hash.h"

/* REAPI DigestFunction.Value numbers. */
enum digest_function {
	DIGEST_UNKNOWN = 0,
	DIGEST_SHA256 = 1,
	DIGEST_SHA1 = 2,
	DIGEST_MD5 = 3,
	DIGEST_VSO = 4,
	DIGEST_SHA384 = 5,
	DIGEST_SHA512 = 6,
	DIGEST_MURMUR3 = 7,
	DIGEST_SHA256TREE = 8,
	DIGEST_BLAKE3 = 9,
	DIGEST_GITSHA1 = 10
};

struct digest {
	uint8_t hash[64];
	uint8_t len;      /* 0 = no digest */
	uint8_t function; /* enum digest_function */
	int64_t size;
};
#define DIGEST_TEXT_MAX 160 /* "sha256tree:" + 128 + "/" + 19 + NUL fits */

bool digest_eq(const struct digest *a, const struct digest *b);
int digest_cmp(const struct digest *a, const struct digest *b); /* a total order */
bool digest_is_empty_blob(
	const struct digest *d); /* size 0 (its hash was checked when it was made) */
bool digest_is_set(const struct digest *d);
/* Key for rx_map: function, length, hash, size. */
#define DIGEST_KEY_MAX (64 + 10)
size_t digest_key(const struct digest *d, uint8_t out[DIGEST_KEY_MAX]);

/* Functions we can compute: SHA256, SHA1, MD5, SHA384, SHA512, SHA256TREE, GITSHA1. */
bool digest_function_supported(enum digest_function f);
const char *digest_function_name(enum digest_function f); /* "sha256"; "unknown" */
bool digest_function_parse(struct rx_view name, enum digest_function *out); /* any case */
size_t digest_function_length(enum digest_function f); /* bytes of hash, 0 unknown */
enum digest_function
digest_function_infer(size_t hash_len); /* in bytes; REAPI rule 30; UNKNOWN when none */
/* In resource names the seven old functions are left out (REAPI rule 70). */
bool digest_function_is_named(enum digest_function f);
enum hash_kind digest_hash_kind(enum digest_function f); /* only for supported ones */

void digest_of(enum digest_function f, const void *p, size_t n, struct digest *out);
void digest_of_view(enum digest_function f, struct rx_view v, struct digest *out);
/* Streams an open file from its start (pread, position kept). RX_EIO when it changes size
 * meanwhile. */
RX_MUST_USE bool digest_of_fd(enum digest_function f, int fd, int64_t size, struct digest *out,
			      struct rx_err *err);
void digest_empty(enum digest_function f, struct digest *out);

/* From the fields of a message. Refuses (RX_EPARSE) upper case, wrong length for the function,
 * negative size, size 0 with a hash that is not the empty one. function UNKNOWN is inferred from
 * the length. (REAPI rules 6, 7, 30, 34) */
RX_MUST_USE bool digest_from_parts(enum digest_function f, struct rx_view hex, int64_t size,
				   struct digest *out, struct rx_err *err);
/* The same from text: size in decimal, without sign or leading zeros. */
RX_MUST_USE bool digest_parse_parts(enum digest_function f, struct rx_view hex, struct rx_view size,
				    struct digest *out, struct rx_err *err);
/* "HASH/SIZE", "FUNCTION:HASH/SIZE" or a resource name (instance ignored). */
RX_MUST_USE bool digest_parse(const char *text, struct digest *out, struct rx_err *err);
/* "HASH/SIZE"; the function is named ("sha256tree:HASH/SIZE") when its length alone would not say.
 */
void digest_format(const struct digest *d, char out[DIGEST_TEXT_MAX]);
void digest_hex(const struct digest *d, char out[129]);
/* "9f86…0a08/4194304" for messages. */
void digest_short(const struct digest *d, char out[DIGEST_TEXT_MAX]);
