/* test_hash: published digests, and the same result whatever the pieces. */
#include "hash.h"

#include <criterion/criterion.h>

#include "utf8.h"

static const char *hash_text(enum hash_kind kind, const void *p, size_t n)
{
	static char text[2 * HASH_MAX_LEN + 1];
	uint8_t out[HASH_MAX_LEN];

	hex_encode(out, hash_bytes(kind, p, n, out), text);
	return text;
}

struct vector {
	const char *of[HASH_GITSHA1 + 1];
};

static void check(const void *p, size_t n, const struct vector *v)
{
	for (int kind = HASH_SHA256; kind <= HASH_GITSHA1; kind++)
		if (v->of[kind])
			cr_assert_str_eq(hash_text((enum hash_kind)kind, p, n), v->of[kind]);
}

Test(hash, empty_content)
{
	static const struct vector v = { {
		[HASH_MD5] = "d41d8cd98f00b204e9800998ecf8427e",
		[HASH_SHA1] = "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		[HASH_SHA256] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		[HASH_SHA256TREE] =
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		[HASH_SHA384] = "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
				"274edebfe76f65fbd51ad2f14898b95b",
		[HASH_SHA512] = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
				"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
		[HASH_GITSHA1] = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
	} };

	check("", 0, &v);
	check(NULL, 0, &v);
}

Test(hash, hello)
{
	static const struct vector v = { {
		[HASH_MD5] = "5d41402abc4b2a76b9719d911017c592",
		[HASH_SHA1] = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
		[HASH_SHA256] = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		[HASH_SHA384] = "59e1748777448c69de6b800d7a33bbfb9ff1b463e44354c3553bcdb9c666fa90"
				"125a3c79f90397bdf5f6a13de828684f",
		[HASH_SHA512] = "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7"
				"2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043",
		[HASH_GITSHA1] = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0",
	} };

	check("hello", 5, &v);
}

Test(hash, a_times_1025)
{
	static const struct vector v = { {
		[HASH_MD5] = "ae187e1febee2a150b64849c32d566ca",
		[HASH_SHA1] = "1009de2ef6183bd6d8c08f1ed8df4847e71f7acb",
		[HASH_SHA256] = "4a82297889eb505cf6b5cbdf69977afab4632d6557539782f657bd7dc78091a5",
		[HASH_GITSHA1] = "5e8a023cdccdf9c504f72890eb5e3e3a5df9b0c8",
	} };
	char data[1025];

	memset(data, 'a', sizeof(data));
	check(data, sizeof(data), &v);
}

static uint8_t *pattern_bytes(size_t n)
{
	uint8_t *p = xmalloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
	return p;
}

/* Digests of pattern_bytes, made by an independent recursive implementation of the definition. */
Test(hash, sha256tree_splits_at_the_largest_power_of_two_below)
{
	static const struct {
		size_t n;
		const char *want;
	} vectors[] = {
		{ 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ 1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
		{ 1024, "02fb5322ef73ac36022788d2fd5e36e5f9c9ab03311d5c83dab1d877cc6d09d2" },
		{ 1025, "700e3f9715e49aea6f6c0807b511b68e76bb5ddee85a7b5d37c7f485ea164bf8" },
		{ 2048, "bfe13a51c53c62a703e9f4f0fb775fb3d061779fb9cf0433c94b8a1a92226189" },
		{ 2049, "4931b7d138a66f806e34c78224ec46b2793355cfb866936cb4b291236c3e3fec" },
		{ 3073, "9bf006fddbc44f26632d04e07f00df2f5fc7c3af39236fd2219bda19fdf71088" },
		{ 5000, "24bff96876217d02385b2e498c1cc79956708b55b535d8fed8c7bada49175c03" },
		{ 102401, "75797674101e64bb97c3d5f28a216f93cb2a0dc002042314a3014c4bc2358214" },
	};

	for (size_t i = 0; i < RX_COUNT(vectors); i++) {
		RX_CLEANUP(xfreep) uint8_t *data = pattern_bytes(vectors[i].n);
		cr_assert_str_eq(hash_text(HASH_SHA256TREE, data, vectors[i].n), vectors[i].want,
				 "%zu bytes", vectors[i].n);
	}
}

Test(hash, pieces_do_not_matter)
{
	static const size_t sizes[] = { 1, 63, 64, 1023, 1024, 1025, 2048, 4096, 4097, 70000 };
	static const size_t steps[] = { 1, 3, 64, 1000, 1024, 1025, 5000 };
	struct hash *h = hash_new();

	for (size_t s = 0; s < RX_COUNT(sizes); s++) {
		RX_CLEANUP(xfreep) uint8_t *data = pattern_bytes(sizes[s]);
		for (int k = HASH_SHA256; k <= HASH_GITSHA1; k++) {
			enum hash_kind kind = (enum hash_kind)k;
			uint8_t whole[HASH_MAX_LEN], pieces[HASH_MAX_LEN];
			size_t len = hash_bytes(kind, data, sizes[s], whole);
			cr_assert_eq(len, hash_length(kind));
			for (size_t i = 0; i < RX_COUNT(steps); i++) {
				hash_begin(h, kind, (int64_t)sizes[s]);
				for (size_t at = 0; at < sizes[s]; at += steps[i])
					hash_add(h, data + at, RX_MIN(steps[i], sizes[s] - at));
				cr_assert_eq(hash_end(h, pieces), len);
				cr_assert_arr_eq(pieces, whole, len);
			}
		}
	}
	hash_free(h);
	hash_free(NULL);
}

Test(hash, an_abandoned_stream_leaves_nothing)
{
	struct hash *h = hash_new();
	uint8_t out[HASH_MAX_LEN];
	char text[2 * HASH_MAX_LEN + 1];

	for (int k = HASH_SHA256; k <= HASH_GITSHA1; k++) {
		char junk[3000] = { 0 };
		hash_begin(h, (enum hash_kind)k, sizeof(junk));
		hash_add(h, junk, sizeof(junk));
	}
	hash_begin(h, HASH_SHA256TREE, 5);
	hash_add(h, "hello", 5);
	hex_encode(out, hash_end(h, out), text);
	cr_assert_str_eq(text, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	hash_free(h);
}
