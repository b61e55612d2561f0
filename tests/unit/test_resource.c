/* test_resource: resource names (REAPI rules 70, 83, 152-154). The vectors have more. */
#include <criterion/criterion.h>

#include "resource.h"

#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define UUID  "6f9b8a0e-3f54-4a0e-9a35-4c6c0e1d8a77"

static struct arena arena;
static struct rx_err err;

static void release(void)
{
	arena_release(&arena);
	rx_err_release(&err);
}

TestSuite(resource, .fini = release);

static bool parses(const char *name, struct resource *r)
{
	rx_err_reset(&err);
	return resource_parse(&arena, rx_view_str(name), r, &err);
}

Test(resource, rule_70_old_functions_are_not_written)
{
	struct resource r;

	cr_expect(parses("blobs/" HELLO "/5", &r) && r.digest.function == DIGEST_SHA256);
	cr_expect(parses("blobs/blake3/" HELLO "/5", &r) && r.digest.function == DIGEST_BLAKE3);
	cr_expect(parses("blobs/sha256tree/" HELLO "/5", &r) &&
		  r.digest.function == DIGEST_SHA256TREE);
	cr_expect_not(parses("blobs/sha256/" HELLO "/5", &r));
	cr_expect_not(parses("blobs/murmur3/abababababababababababababababab/5", &r));
	cr_expect_not(parses("blobs/BLAKE3/" HELLO "/5", &r));
	cr_expect_not(parses("blobs/gitsha1/" HELLO "/5", &r));
	cr_expect_not(parses("blobs/blake3/5", &r));
	cr_expect_not(parses("blobs/blake3", &r));
	/* 33 bytes can only be VSO, 16 are taken for MD5 */
	cr_expect(parses("blobs/" HELLO "00/5", &r) && r.digest.function == DIGEST_VSO);
	cr_expect(parses("blobs/abababababababababababababababab/5", &r) &&
		  r.digest.function == DIGEST_MD5);
}

Test(resource, rule_152_instances_of_any_depth_are_kept_as_they_are)
{
	struct resource r;

	cr_expect(parses("blobs/" HELLO "/5", &r));
	cr_expect_str_eq(r.instance, "");
	cr_expect(parses("projects/p q/instances/%41/\u00e9/blobs/" HELLO "/5", &r));
	cr_expect_str_eq(r.instance, "projects/p q/instances/%41/\u00e9");
}

Test(resource, rule_153_reserved_segments_and_stray_slashes_are_refused)
{
	static const char *const bad[] = {
		"blobs",
		"a/uploads",
		"actions/a",
		"a/actionResults/b",
		"operations",
		"capabilities",
		"a/compressed-blobs",
		"/a",
		"a/",
		"a//b",
		"/",
		"\xff",
		"a/\xc3/b",
	};
	static const char *const good[] = {
		"", "a", "a/b", "Blobs", "blob", "my-uploads", "..", "."
	};
	struct resource r;

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		rx_err_reset(&err);
		cr_expect_not(resource_check_instance(bad[i], &err), "'%s'", bad[i]);
		cr_expect_eq(err.code, RX_EUSAGE);
	}
	rx_err_reset(&err);
	for (size_t i = 0; i < RX_COUNT(good); i++)
		cr_expect(resource_check_instance(good[i], &err), "'%s'", good[i]);
	cr_expect_not(parses("//blobs/" HELLO "/5", &r));
	cr_expect_not(parses("/a/blobs/" HELLO "/5", &r));
	cr_expect_not(parses("a//blobs/" HELLO "/5", &r));
	cr_expect_not(parses("operations/blobs/" HELLO "/5", &r));
	cr_expect_eq(err.code, RX_EPARSE);
}

/* The Go SDK of April 2023 writes the slash behind an empty name too. */
Test(resource, rule_152_one_leading_slash_is_an_empty_instance)
{
	struct resource r;

	cr_expect(parses("/blobs/" HELLO "/5", &r), "%s", rx_err_text(&err));
	cr_expect_str_eq(r.instance, "");
	cr_expect(parses("/uploads/" UUID "/blobs/" HELLO "/5", &r), "%s", rx_err_text(&err));
	cr_expect_str_eq(r.instance, "");
	cr_expect_str_eq(r.uuid, UUID);
}

Test(resource, rule_154_the_first_keyword_counts_and_metadata_may_hold_anything)
{
	struct resource r;

	cr_expect(parses("a/uploads/" UUID "/blobs/" HELLO "/5/blobs/x//uploads/", &r));
	cr_expect_str_eq(r.instance, "a");
	cr_expect_str_eq(r.uuid, UUID);
	cr_expect_str_eq(r.metadata, "blobs/x//uploads/");
	cr_expect(r.upload);
	cr_expect_not(parses("blobs/" HELLO "/5/blobs/" HELLO "/5", &r));
	cr_expect_not(parses("blobs/" HELLO "/5/", &r), "downloads have nothing behind the size");
}

Test(resource, rule_83_uploads_have_a_uuid)
{
	struct resource r;

	cr_expect_not(parses("uploads//blobs/" HELLO "/5", &r));
	cr_expect_not(parses("uploads", &r));
	cr_expect_not(parses("uploads/" UUID, &r));
	cr_expect_not(parses("uploads/" UUID "/blob/" HELLO "/5", &r));
	cr_expect_not(parses("uploads/" UUID "/compressed-blobs/" HELLO "/5", &r));
	cr_expect(parses("uploads/" UUID "/compressed-blobs/zstd/" HELLO "/5", &r));
	cr_expect_eq(r.compressor, COMPRESSOR_ZSTD);
}

Test(resource, rule_154_other_names_are_refused)
{
	static const char *const bad[] = {
		"compressed-blobs/identity/" HELLO "/5",
		"compressed-blobs/ZSTD/" HELLO "/5",
		"compressed-blobs",
		"blobs//5",
		"blobs/" HELLO "/",
		"blobs/" HELLO "/05",
		"blobs/" HELLO "/0",
		"blobs/" HELLO "/9223372036854775808",
		"Blobs/" HELLO "/5",
	};
	struct resource r;

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		cr_expect_not(parses(bad[i], &r), "'%s'", bad[i]);
		cr_expect(err.code == RX_EPARSE && strstr(rx_err_text(&err), "resource name"));
	}
}

Test(resource, nul_bad_utf8_and_length_are_refused)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf name = { 0 };
	struct resource r;

	cr_expect_not(resource_parse(&arena, RX_VIEW("a\0b/blobs/" HELLO "/5"), &r, &err));
	cr_expect_not(parses("\xed\xa0\x80/blobs/" HELLO "/5", &r));
	cr_expect_not(
		resource_parse(&arena, (struct rx_view){ 0 }, &r, (rx_err_reset(&err), &err)));
	for (size_t i = 0; i < RESOURCE_NAME_MAX; i++)
		rx_buf_add_char(&name, 'a');
	rx_buf_add_str(&name, "/blobs/" HELLO "/5");
	cr_expect_not(parses(rx_buf_str(&name), &r));
	cr_expect_eq(err.code, RX_ELIMIT);
}

Test(resource, rule_117_subjects_have_no_instance)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
	struct digest d;

	cr_assert(digest_parse("blake3:" HELLO "/5", &d, &err));
	resource_add_subject(&out, &d);
	cr_expect_str_eq(rx_buf_str(&out), "blobs/blake3/" HELLO "/5");
}
