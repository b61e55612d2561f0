/* test_digest: digests from text, messages and files, and what may not be one. */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "digest.h"

#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct rx_err err;

static void release(void)
{
	rx_err_release(&err);
}

TestSuite(digest, .fini = release);

static bool refused(enum digest_function f, const char *hex, int64_t size)
{
	struct digest d = { .size = 77 };
	bool ok = digest_from_parts(f, rx_view_str(hex), size, &d, &err);

	cr_expect(ok || (err.code == RX_EPARSE && d.size == 77), "outputs are untouched");
	rx_err_reset(&err);
	return !ok;
}

Test(digest, rule_6_upper_case_and_wrong_lengths_are_refused)
{
	char long_hex[300];

	memset(long_hex, 'a', sizeof(long_hex));
	long_hex[299] = 0;
	cr_expect(refused(DIGEST_SHA256, "", 5));
	cr_expect(refused(DIGEST_UNKNOWN, "", 5));
	cr_expect(refused(DIGEST_SHA256, HELLO "00", 5));
	cr_expect(refused(DIGEST_SHA256, HELLO + 1, 5));
	cr_expect(refused(DIGEST_UNKNOWN, HELLO + 1, 5));
	cr_expect(refused(DIGEST_UNKNOWN, HELLO + 2, 5));
	cr_expect(refused(DIGEST_SHA1, HELLO, 5));
	cr_expect(refused(DIGEST_UNKNOWN, long_hex, 5));
	cr_expect(refused(DIGEST_SHA512, long_hex, 5));
	cr_expect(refused(DIGEST_SHA256,
			  "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824", 5));
	cr_expect(refused(DIGEST_SHA256,
			  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b982g", 5));
	cr_expect(refused((enum digest_function)11, HELLO, 5));
	cr_expect(refused((enum digest_function) - 1, HELLO, 5));
	cr_expect(refused((enum digest_function)INT32_MIN, HELLO, 5));
	cr_expect_not(refused(DIGEST_SHA256, HELLO, 5));
}

Test(digest, rule_7_size_is_part_of_it)
{
	struct digest a, b;

	cr_assert(digest_from_parts(DIGEST_SHA256, rx_view_str(HELLO), 5, &a, &err));
	cr_assert(digest_from_parts(DIGEST_SHA256, rx_view_str(HELLO), 6, &b, &err));
	cr_expect_not(digest_eq(&a, &b));
	cr_expect_lt(digest_cmp(&a, &b), 0);
	cr_expect_gt(digest_cmp(&b, &a), 0);
	cr_expect(refused(DIGEST_SHA256, HELLO, -1));
	cr_expect(refused(DIGEST_SHA256, HELLO, INT64_MIN));
	cr_expect_not(refused(DIGEST_SHA256, HELLO, INT64_MAX));
}

Test(digest, rule_18_the_empty_blob_of_every_function)
{
	char hex[129];

	for (int f = DIGEST_SHA256; f <= DIGEST_GITSHA1; f++) {
		struct digest d, again;

		if (!digest_function_supported((enum digest_function)f))
			continue;
		digest_empty((enum digest_function)f, &d);
		cr_expect(digest_is_set(&d) && digest_is_empty_blob(&d));
		cr_expect_eq(d.len, digest_function_length((enum digest_function)f));
		digest_hex(&d, hex);
		cr_assert(digest_from_parts((enum digest_function)f, rx_view_str(hex), 0, &again,
					    &err),
			  "%s", rx_err_text(&err));
		cr_expect(digest_eq(&d, &again));
		hex[3] = hex[3] == '0' ? '1' : '0';
		cr_expect(refused((enum digest_function)f, hex, 0), "rule 34: %s", hex);
	}
	digest_hex(&(struct digest){ 0 }, hex);
	cr_expect_str_eq(hex, "");
	cr_expect_not(digest_is_empty_blob(&(struct digest){ 0 }));
}

Test(digest, rule_34_size_0_with_another_hash_is_refused)
{
	cr_expect(refused(DIGEST_SHA256, HELLO, 0));
	cr_expect(refused(DIGEST_UNKNOWN, HELLO, 0));
	cr_expect(refused(DIGEST_BLAKE3, EMPTY, 0));
	cr_expect_not(refused(DIGEST_SHA256, EMPTY, 0));
	cr_expect_not(refused(DIGEST_BLAKE3,
			      "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
			      0));
}

Test(digest, rule_30_the_function_is_told_by_length)
{
	static const struct {
		size_t length;
		enum digest_function f;
	} want[] = {
		{ 16, DIGEST_MD5 },    { 20, DIGEST_SHA1 },    { 32, DIGEST_SHA256 },
		{ 33, DIGEST_VSO },    { 48, DIGEST_SHA384 },  { 64, DIGEST_SHA512 },
		{ 0, DIGEST_UNKNOWN }, { 31, DIGEST_UNKNOWN },
	};

	for (size_t i = 0; i < RX_COUNT(want); i++)
		cr_expect_eq(digest_function_infer(want[i].length), want[i].f);
}

Test(digest, rule_29_functions_that_must_be_named)
{
	for (int f = DIGEST_SHA256; f <= DIGEST_GITSHA1; f++)
		cr_expect_eq(digest_function_is_named((enum digest_function)f),
			     f == DIGEST_SHA256TREE || f == DIGEST_BLAKE3 || f == DIGEST_GITSHA1);
	cr_expect_not(digest_function_is_named(DIGEST_UNKNOWN));
	cr_expect_not(digest_function_is_named((enum digest_function)99));
}

Test(digest, function_names_go_both_ways)
{
	enum digest_function f;

	for (int i = DIGEST_SHA256; i <= DIGEST_GITSHA1; i++) {
		cr_assert(digest_function_parse(
			rx_view_str(digest_function_name((enum digest_function)i)), &f));
		cr_expect_eq(f, (enum digest_function)i);
	}
	cr_expect(digest_function_parse(RX_VIEW("SHA256Tree"), &f) && f == DIGEST_SHA256TREE);
	cr_expect_not(digest_function_parse(RX_VIEW("sha25"), &f));
	cr_expect_not(digest_function_parse(RX_VIEW(""), &f));
	cr_expect_not(digest_function_parse(RX_VIEW("unknown"), &f));
	cr_expect_str_eq(digest_function_name((enum digest_function)1000), "unknown");
}

Test(digest, text_goes_both_ways)
{
	static const char *const texts[] = {
		HELLO "/5",
		"sha256tree:" HELLO "/5",
		"blake3:" HELLO "/9223372036854775807",
		"gitsha1:abababababababababababababababababababab/3",
		"abababababababababababababababababababab/3",
		"murmur3:abababababababababababababababab/3",
		EMPTY "/0",
	};

	for (size_t i = 0; i < RX_COUNT(texts); i++) {
		char text[DIGEST_TEXT_MAX];
		struct digest d;

		cr_assert(digest_parse(texts[i], &d, &err), "%s", rx_err_text(&err));
		digest_format(&d, text);
		cr_expect_str_eq(text, texts[i]);
	}
}

Test(digest, resource_names_are_digests_too)
{
	struct digest d, want;

	cr_assert(digest_parse(HELLO "/5", &want, &err));
	cr_assert(digest_parse("a/b/blobs/" HELLO "/5", &d, &err), "%s", rx_err_text(&err));
	cr_expect(digest_eq(&d, &want));
	cr_assert(digest_parse("compressed-blobs/zstd/" HELLO "/5", &d, &err));
	cr_expect(digest_eq(&d, &want));
	cr_assert(digest_parse("sha256:" HELLO "/5", &d, &err));
	cr_expect(digest_eq(&d, &want));
}

Test(digest, bad_text_is_refused)
{
	static const char *const texts[] = {
		"",
		"/",
		HELLO,
		HELLO "/",
		HELLO "/ 5",
		HELLO "/+5",
		HELLO "/-5",
		HELLO "/05",
		HELLO "/5x",
		HELLO "/9223372036854775808",
		HELLO "/99999999999999999999999999",
		"sha1:" HELLO "/5",
		"sha3:" HELLO "/5",
		":" HELLO "/5",
		HELLO "/5/6",
		"blobs/" HELLO,
	};

	for (size_t i = 0; i < RX_COUNT(texts); i++) {
		struct digest d;

		cr_expect_not(digest_parse(texts[i], &d, &err), "'%s'", texts[i]);
		cr_expect(err.code == RX_EPARSE && err.msg.n);
		rx_err_reset(&err);
	}
}

Test(digest, short_text_is_short)
{
	struct digest d;
	char text[DIGEST_TEXT_MAX];

	cr_assert(digest_parse(HELLO "/4194304", &d, &err));
	digest_short(&d, text);
	cr_expect_str_eq(text, "2cf2\u20269824/4194304");
}

Test(digest, keys_and_order_tell_all_parts_apart)
{
	static const char *const texts[] = {
		HELLO "/5",
		HELLO "/6",
		EMPTY "/5",
		"sha256tree:" HELLO "/5",
		"abababababababababababababababababababab/5",
	};

	for (size_t i = 0; i < RX_COUNT(texts); i++) {
		for (size_t k = 0; k < RX_COUNT(texts); k++) {
			struct digest a, b;
			uint8_t x[DIGEST_KEY_MAX], y[DIGEST_KEY_MAX];
			size_t n, m;

			cr_assert(digest_parse(texts[i], &a, &err));
			cr_assert(digest_parse(texts[k], &b, &err));
			n = digest_key(&a, x);
			m = digest_key(&b, y);
			cr_expect_eq(n == m && memcmp(x, y, n) == 0, i == k);
			cr_expect_eq(digest_eq(&a, &b), i == k);
			cr_expect_eq(digest_cmp(&a, &b) == 0, i == k);
			cr_expect_eq(digest_cmp(&a, &b) < 0, digest_cmp(&b, &a) > 0);
		}
	}
}

static int file_of(size_t n)
{
	int fd = memfd_create("digest", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	for (size_t i = 0; i < n; i++) {
		char c = (char)(i * 31 >> 3);

		cr_assert_eq(write(fd, &c, 1), 1);
	}
	return fd;
}

Test(digest, files_and_bytes_agree_at_every_size_and_function)
{
	static const size_t sizes[] = { 0, 1, 1024, 1025, 65535, 65536, 65537, 200000 };

	for (size_t i = 0; i < RX_COUNT(sizes); i++) {
		RX_CLEANUP(xfreep) char *bytes = xmalloc(sizes[i] + 1);
		int fd = file_of(sizes[i]);

		cr_assert_eq(pread(fd, bytes, sizes[i], 0), (ssize_t)sizes[i]);
		for (int f = DIGEST_SHA256; f <= DIGEST_GITSHA1; f++) {
			struct digest a, b;

			if (!digest_function_supported((enum digest_function)f))
				continue;
			digest_of((enum digest_function)f, bytes, sizes[i], &a);
			cr_assert(digest_of_fd((enum digest_function)f, fd, (int64_t)sizes[i], &b,
					       &err),
				  "%s", rx_err_text(&err));
			cr_expect(digest_eq(&a, &b), "%s of %zu bytes",
				  digest_function_name((enum digest_function)f), sizes[i]);
		}
		cr_expect_eq(lseek(fd, 0, SEEK_CUR), (off_t)sizes[i], "the position is kept");
		close(fd);
	}
}

Test(digest, files_that_change_size_are_noticed)
{
	static const size_t sizes[] = { 1, 1000, 65536, 70000, 200000 };

	for (size_t i = 0; i < RX_COUNT(sizes); i++) {
		int fd = file_of(sizes[i]);
		struct digest d;

		cr_expect_not(digest_of_fd(DIGEST_SHA256, fd, (int64_t)sizes[i] + 1, &d, &err));
		cr_expect_eq(err.code, RX_EIO);
		rx_err_reset(&err);
		cr_expect_not(digest_of_fd(DIGEST_SHA256, fd, (int64_t)sizes[i] - 1, &d, &err));
		cr_expect_eq(err.code, RX_EIO);
		rx_err_reset(&err);
		close(fd);
	}
}
