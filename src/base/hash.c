/* hash: libcrypto's digests by their own names, and SHA256TREE on top of its SHA-256 block
 * function.
 *
 * The EVP interface would first set up providers and read openssl.cnf: 2 ms, a fifth of a whole
 * cache hit, and no configuration may change what a digest is. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hash.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/md5.h>
#include <openssl/sha.h>

#define TREE_LEAF  1024u
#define TREE_DEPTH 56u /* leaves of 2^10 bytes under an int64_t size */

struct hash {
	enum hash_kind kind;
	union {
		SHA256_CTX sha256; /* SHA256TREE: the leaf being filled */
		SHA_CTX sha1;
		MD5_CTX md5;
		SHA512_CTX sha512; /* and SHA-384 */
	};
	size_t leaf_n;
	uint64_t leaves; /* complete ones, all of them merged as far as they go */
	unsigned depth;
	uint8_t stack[TREE_DEPTH][SHA256_DIGEST_LENGTH];
};

static const size_t lengths[] = {
	[HASH_SHA256] = 32, [HASH_SHA1] = 20,       [HASH_MD5] = 16,     [HASH_SHA384] = 48,
	[HASH_SHA512] = 64, [HASH_SHA256TREE] = 32, [HASH_GITSHA1] = 20,
};

struct hash *hash_new(void)
{
	return xcalloc(1, sizeof(struct hash));
}

void hash_free(struct hash *h)
{
	free(h);
}

void hash_begin(struct hash *h, enum hash_kind kind, int64_t size)
{
	char header[32];
	int n;

	h->kind = kind;
	switch (kind) {
	case HASH_SHA256TREE:
		h->leaf_n = 0;
		h->leaves = 0;
		h->depth = 0;
		SHA256_Init(&h->sha256);
		break;
	case HASH_SHA256:
		SHA256_Init(&h->sha256);
		break;
	case HASH_SHA1:
		SHA1_Init(&h->sha1);
		break;
	case HASH_GITSHA1:
		SHA1_Init(&h->sha1);
		n = snprintf(header, sizeof(header), "blob %" PRId64, size);
		SHA1_Update(&h->sha1, header, (size_t)n + 1); /* with the NUL */
		break;
	case HASH_MD5:
		MD5_Init(&h->md5);
		break;
	case HASH_SHA384:
		SHA384_Init(&h->sha512);
		break;
	case HASH_SHA512:
		SHA512_Init(&h->sha512);
		break;
	}
}

/* An inner node: one SHA-256 block function over left and right from a start state of its own,
 * without adding that state at the end (SHA256_Transform does add it). right may be out. */
static void tree_node(const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	static const uint32_t start[8] = { 0xcbbb9d5d, 0x629a292a, 0x9159015a, 0x152fecd8,
					   0x67332667, 0x8eb44a87, 0xdb0c2e0d, 0x47b5481d };
	SHA256_CTX c = { .md_len = SHA256_DIGEST_LENGTH };
	uint8_t block[SHA256_CBLOCK];

	memcpy(block, left, 32);
	memcpy(block + 32, right, 32);
	memcpy(c.h, start, sizeof(start));
	SHA256_Transform(&c, block);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t word = c.h[i] - start[i];
		for (unsigned k = 0; k < 4; k++)
			out[4 * i + k] = (uint8_t)(word >> (24 - 8 * k));
	}
}

/* The leaf is full and more follows: subtrees that are complete become one, as in a binary
 * counter. */
static void tree_push_leaf(struct hash *h)
{
	SHA256_Final(h->stack[h->depth++], &h->sha256);
	h->leaves++;
	for (uint64_t count = h->leaves; count % 2 == 0; count /= 2) {
		tree_node(h->stack[h->depth - 2], h->stack[h->depth - 1], h->stack[h->depth - 2]);
		h->depth--;
	}
	SHA256_Init(&h->sha256);
	h->leaf_n = 0;
}

static void tree_add(struct hash *h, const uint8_t *p, size_t n)
{
	while (n) {
		if (h->leaf_n == TREE_LEAF)
			tree_push_leaf(h);
		size_t take = RX_MIN(n, TREE_LEAF - h->leaf_n);
		SHA256_Update(&h->sha256, p, take);
		h->leaf_n += take;
		p += take;
		n -= take;
	}
}

static void tree_end(struct hash *h, uint8_t *out)
{
	SHA256_Final(out, &h->sha256);
	while (h->depth)
		tree_node(h->stack[--h->depth], out, out);
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	if (!n)
		return;
	switch (h->kind) {
	case HASH_SHA256TREE:
		tree_add(h, p, n);
		break;
	case HASH_SHA256:
		SHA256_Update(&h->sha256, p, n);
		break;
	case HASH_SHA1:
	case HASH_GITSHA1:
		SHA1_Update(&h->sha1, p, n);
		break;
	case HASH_MD5:
		MD5_Update(&h->md5, p, n);
		break;
	case HASH_SHA384:
		SHA384_Update(&h->sha512, p, n);
		break;
	case HASH_SHA512:
		SHA512_Update(&h->sha512, p, n);
		break;
	}
}

size_t hash_end(struct hash *h, uint8_t out[HASH_MAX_LEN])
{
	switch (h->kind) {
	case HASH_SHA256TREE:
		tree_end(h, out);
		break;
	case HASH_SHA256:
		SHA256_Final(out, &h->sha256);
		break;
	case HASH_SHA1:
	case HASH_GITSHA1:
		SHA1_Final(out, &h->sha1);
		break;
	case HASH_MD5:
		MD5_Final(out, &h->md5);
		break;
	case HASH_SHA384:
		SHA384_Final(out, &h->sha512);
		break;
	case HASH_SHA512:
		SHA512_Final(out, &h->sha512);
		break;
	}
	return lengths[h->kind];
}

size_t hash_length(enum hash_kind kind)
{
	return lengths[kind];
}

static pthread_key_t own_key;

static void own_key_create(void)
{
	if (pthread_key_create(&own_key, (void (*)(void *))hash_free))
		abort();
}

size_t hash_bytes(enum hash_kind kind, const void *p, size_t n, uint8_t out[HASH_MAX_LEN])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static _Thread_local struct hash *own; /* keeps the main thread's reachable */

	if (!own) {
		pthread_once(&once, own_key_create);
		own = hash_new();
		pthread_setspecific(own_key, own); /* frees it when the thread ends */
	}
	hash_begin(own, kind, (int64_t)n);
	hash_add(own, p, n);
	return hash_end(own, out);
}
