/* test_wire_calls: requests and answers of the services, by rule. */
#include <criterion/criterion.h>

#include "wire_bytestream.h"
#include "wire_capabilities.h"
#include "wire_cas.h"
#include "wire_execution.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct arena arena;
static struct rx_err err;
static struct rx_buf out;

static void release(void)
{
	arena_release(&arena);
	rx_err_release(&err);
	rx_buf_release(&out);
}

TestSuite(wire_cas, .fini = release);
TestSuite(wire_status, .fini = release);
TestSuite(wire_capabilities, .fini = release);
TestSuite(wire_execution, .fini = release);
TestSuite(wire_bytestream, .fini = release);

static struct digest some_digest(int seed)
{
	struct digest d;

	digest_of(DIGEST_SHA256, &seed, sizeof(seed), &d);
	return d;
}

static struct rx_view packed(void)
{
	struct rx_view v = arena_view(&arena, rx_view_of(&out));

	rx_buf_reset(&out);
	return v;
}

Test(wire_cas, rule_57_finding_missing_blobs_goes_both_ways)
{
	struct digest v[] = { some_digest(1), some_digest(2), some_digest(1) };
	struct wire_find m = { "main", DIGEST_SHA256, { v, 3 } }, got;
	struct wire_digests missing;

	wire_find_pack(&m, &out);
	cr_assert(wire_find_unpack(&arena, packed(), &got, &err), "%s", rx_err_text(&err));
	cr_expect_str_eq(got.instance, "main");
	cr_expect_eq(got.function, DIGEST_SHA256);
	cr_assert_eq(got.digests.n, 3);
	cr_expect(digest_eq(&got.digests.v[1], &v[1]));
	wire_missing_pack(&m.digests, &out);
	cr_assert(wire_missing_unpack(&arena, packed(), DIGEST_SHA256, &missing, &err));
	cr_expect(missing.n == 3 && digest_eq(&missing.v[2], &v[2]), "duplicates are kept");
	cr_assert(
		wire_missing_unpack(&arena, (struct rx_view){ 0 }, DIGEST_SHA256, &missing, &err));
	cr_expect_eq(missing.n, 0);
}

Test(wire_cas, rule_30_a_function_left_open_is_told_by_length)
{
	struct digest d = some_digest(1);
	struct wire_find m = { NULL, DIGEST_UNKNOWN, { &d, 1 } }, got;

	wire_find_pack(&m, &out);
	cr_assert(wire_find_unpack(&arena, packed(), &got, &err));
	cr_expect_eq(got.function, DIGEST_SHA256);
	cr_expect_eq(got.digests.v[0].function, DIGEST_SHA256);
	/* the function comes behind the digests and still counts for them */
	m.function = DIGEST_BLAKE3;
	wire_find_pack(&m, &out);
	cr_assert(wire_find_unpack(&arena, packed(), &got, &err));
	cr_expect_eq(got.digests.v[0].function, DIGEST_BLAKE3);
	m.function = DIGEST_SHA1;
	wire_find_pack(&m, &out);
	cr_expect_not(wire_find_unpack(&arena, packed(), &got, &err));
}

Test(wire_cas, rule_28_one_request_has_one_function)
{
	struct digest v[] = { some_digest(1), some_digest(2) };
	struct wire_find m = { NULL, DIGEST_UNKNOWN, { v, 2 } }, got;

	digest_of(DIGEST_SHA1, "x", 1, &v[1]);
	wire_find_pack(&m, &out);
	cr_expect_not(wire_find_unpack(&arena, packed(), &got, &err));
	cr_expect(strstr(rx_err_text(&err), "FindMissingBlobsRequest.blob_digests"), "%s",
		  rx_err_text(&err));
}

Test(wire_cas, rule_61_a_wrong_digest_fails_its_entry_alone)
{
	struct digest good = { 0 }, bad = { .len = 20, .function = DIGEST_SHA1, .size = 3 };
	struct wire_update got;
	struct rx_view bytes;

	digest_of(DIGEST_SHA256, "abc", 3, &good);
	wire_update_add_header(&out, "i", DIGEST_SHA256);
	memcpy(wire_update_add_entry(&out, &bad), "xyz", 3);
	memcpy(wire_update_add_entry(&out, &good), "abc", 3);
	bytes = packed();
	cr_assert(wire_update_unpack(&arena, bytes, &got, &err), "%s", rx_err_text(&err));
	cr_assert_eq(got.n, 2);
	cr_expect_not(got.entries[0].digest_ok);
	cr_expect(strstr(got.entries[0].why, "sha256"), "%s", got.entries[0].why);
	cr_expect(got.entries[1].digest_ok && digest_eq(&got.entries[1].digest, &good));
	cr_expect(got.entries[1].data.p > bytes.p && got.entries[1].data.p < bytes.p + bytes.n,
		  "data is not copied");
	cr_expect(rx_view_eq_str(got.entries[1].data, "abc"));
}

Test(wire_cas, entries_do_not_fit_into_full_buffers)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf small = { .max = 80 };
	struct digest d = some_digest(1);

	d.size = 100;
	cr_expect_null(wire_update_add_entry(&small, &d));
	cr_expect(small.full && small.n == 0);
}

static struct wire_blob_statuses answers(bool reads)
{
	static struct wire_blob_status v[3];

	v[0] = (struct wire_blob_status){ .digest = some_digest(2), .message = "" };
	v[1] = (struct wire_blob_status){ .digest = some_digest(1), .code = 5, .message = "gone" };
	v[2] = (struct wire_blob_status){ .digest = some_digest(3), .code = -7, .message = "" };
	if (reads) {
		v[0].data = RX_VIEW("data");
		v[1].compressor = COMPRESSOR_ZSTD;
	}
	return (struct wire_blob_statuses){ v, 3 };
}

Test(wire_cas, rule_62_answers_in_any_order_and_none_is_ok)
{
	struct wire_blob_statuses m = answers(false), got;

	wire_update_reply_pack(&m, &out);
	cr_assert(wire_update_reply_unpack(&arena, packed(), DIGEST_SHA256, &got, &err), "%s",
		  rx_err_text(&err));
	cr_assert_eq(got.n, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect(digest_eq(&got.v[i].digest, &m.v[i].digest));
		cr_expect_eq(got.v[i].code, m.v[i].code);
		cr_expect_str_eq(got.v[i].message, m.v[i].message);
	}
}

Test(wire_cas, rule_65_reads_say_their_compressor_and_are_not_copied)
{
	struct wire_blob_statuses m = answers(true), got;
	struct rx_view bytes;

	wire_read_reply_pack(&m, &out);
	bytes = packed();
	cr_assert(wire_read_reply_unpack(&arena, bytes, DIGEST_SHA256, &got, &err));
	cr_expect(rx_view_eq_str(got.v[0].data, "data") && got.v[0].data.p < bytes.p + bytes.n);
	cr_expect_eq(got.v[0].compressor, COMPRESSOR_IDENTITY);
	cr_expect_eq(got.v[1].compressor, COMPRESSOR_ZSTD);
	cr_expect_eq(got.v[1].code, 5);
}

Test(wire_cas, rule_34_an_answer_with_a_malformed_digest_is_refused)
{
	struct wire_blob_statuses got;

	cr_expect_not(wire_read_reply_unpack(&arena, RX_VIEW("\x0a\x44\x0a\x42\x0a\x40" A),
					     DIGEST_SHA256, &got, &err));
	rx_err_reset(&err);
	cr_expect_not(
		wire_update_reply_unpack(&arena, RX_VIEW("\x0a\x00"), DIGEST_SHA256, &got, &err));
}

Test(wire_cas, an_entry_of_a_read_has_the_size_it_is_said_to_have)
{
	struct wire_blob_status v = { .data = RX_VIEW("abc") };
	struct wire_blob_statuses got;
	struct rx_view bytes;

	digest_of(DIGEST_SHA256, "abc", 3, &v.digest);
	wire_read_reply_pack(&(struct wire_blob_statuses){ &v, 1 }, &out);
	cr_expect_eq(out.n, wire_read_reply_entry_size(&v.digest));
	bytes = packed();
	memcpy(wire_read_reply_add_entry(&out, &v.digest), "abc", 3);
	cr_expect(rx_view_eq(packed(), bytes));
	cr_assert(wire_read_reply_unpack(&arena, bytes, DIGEST_SHA256, &got, &err));
	cr_expect(rx_view_eq_str(got.v[0].data, "abc"));
}

Test(wire_cas, read_requests_go_both_ways)
{
	struct digest d = some_digest(1);
	struct wire_read m = { "a/b", DIGEST_SHA256, { &d, 1 }, true }, got;
	struct rx_view bytes;

	wire_read_pack(&m, &out);
	cr_assert(wire_read_unpack(&arena, packed(), &got, &err));
	cr_expect(got.accepts_zstd && got.digests.n == 1 && digest_eq(&got.digests.v[0], &d));
	m.accepts_zstd = false;
	m.function = DIGEST_UNKNOWN;
	wire_read_pack(&m, &out);
	bytes = packed();
	cr_assert(wire_read_unpack(&arena, bytes, &got, &err));
	cr_expect_not(got.accepts_zstd);
	/* rule 20: unpacked, among others */
	rx_buf_add(&out, bytes.p, bytes.n);
	rx_buf_add(&out, "\x18\x02\x18\x01", 4);
	cr_assert(wire_read_unpack(&arena, packed(), &got, &err));
	cr_expect(got.accepts_zstd);
	cr_expect_not(wire_read_unpack(&arena, RX_VIEW("\x1a\x01\x80"), &got, &err));
}

Test(wire_cas, rule_155_pages_of_a_tree_are_raw)
{
	struct rx_view dirs[] = { RX_VIEW("\x1a\x06\x0a\x01"
					  "l"
					  "\x12\x01"
					  "t"),
				  { "", 0 } };
	struct wire_tree_page m = { dirs, 2, "next" }, got;
	struct wire_get_tree ask = { "i", DIGEST_BLAKE3, some_digest(1), 7, "tok" }, asked;

	wire_tree_page_pack(&m, &out);
	cr_assert(wire_tree_page_unpack(&arena, packed(), &got, &err));
	cr_expect(got.n == 2 && rx_view_eq(got.directories[0], dirs[0]) && !got.directories[1].n);
	cr_expect_str_eq(got.next_page_token, "next");
	cr_assert(wire_tree_page_unpack(&arena, (struct rx_view){ 0 }, &got, &err));
	cr_expect_str_eq(got.next_page_token, "");
	ask.root.function = DIGEST_BLAKE3;
	wire_get_tree_pack(&ask, &out);
	cr_assert(wire_get_tree_unpack(&arena, packed(), &asked, &err), "%s", rx_err_text(&err));
	cr_expect(digest_eq(&asked.root, &ask.root) && asked.page_size == 7);
	cr_expect_str_eq(asked.page_token, "tok");
	cr_expect_not(wire_get_tree_unpack(&arena, (struct rx_view){ 0 }, &asked, &err), "rule 19");
}

Test(wire_status, rule_117_missing_blobs_are_named)
{
	struct wire_violation v[] = { { .is_missing = true, .digest = some_digest(1) },
				      { .is_missing = true, .digest = some_digest(2) } };
	struct wire_status s = { .code = 9, .message = "no", .violations = v, .n_violations = 2 },
			   got;

	v[1].digest.function = DIGEST_BLAKE3;
	wire_status_pack(&s, &out);
	cr_assert(wire_status_unpack(&arena, packed(), &got, &err), "%s", rx_err_text(&err));
	cr_expect_eq(got.code, 9);
	cr_assert_eq(got.n_violations, 2);
	cr_expect(got.all_missing);
	cr_expect(digest_eq(&got.violations[0].digest, &v[0].digest));
	cr_expect(digest_eq(&got.violations[1].digest, &v[1].digest), "with its function");
	cr_expect_str_eq(got.violations[0].type, "MISSING");
}

Test(wire_status, rule_119_other_violations_are_not_missing_blobs)
{
	static const struct wire_violation odd[] = {
		{ .type = "INVALID", .subject = "blobs/" A "/1" },
		{ .type = "MISSING", .subject = "the blob" },
		{ .type = "MISSING", .subject = "" },
		{ .type = "MISSING", .subject = "blobs/" A "/x" },
		{ .type = "MISSING", .subject = "compressed-blobs/zstd/" A "/1" },
	};

	for (size_t i = 0; i < RX_COUNT(odd); i++) {
		struct wire_violation v[] = { odd[i],
					      { .type = "MISSING", .subject = "x/blobs/" A "/1" } };
		struct wire_status s = { .code = 9, .violations = v, .n_violations = 2 }, got;

		wire_status_pack(&s, &out);
		cr_assert(wire_status_unpack(&arena, packed(), &got, &err));
		cr_expect_not(got.all_missing, "case %zu", i);
		cr_expect_not(got.violations[0].is_missing, "case %zu", i);
		cr_expect(got.violations[1].is_missing);
	}
	cr_assert(
		wire_status_unpack(&arena, RX_VIEW("\x08\x09"), &(struct wire_status){ 0 }, &err));
}

Test(wire_status, rule_118_no_violations_are_not_all_missing)
{
	struct wire_status got;

	cr_assert(wire_status_unpack(&arena, RX_VIEW("\x08\x09"), &got, &err));
	cr_expect(!got.all_missing && got.code == 9);
	cr_expect_str_eq(got.message, "");
}

Test(wire_status, rule_149_retry_info)
{
	struct wire_status s = { .code = 14, .has_retry = true, .retry_ms = 2500 }, got;

	wire_status_pack(&s, &out);
	cr_assert(wire_status_unpack(&arena, packed(), &got, &err));
	cr_expect(got.has_retry && got.retry_ms == 2500);
}

Test(wire_status, details_that_cannot_be_read_are_ignored)
{
	struct wire_status got;

	/* an Any that says RetryInfo and holds garbage; one of an unknown type; one of no type */
	cr_assert(wire_status_unpack(&arena,
				     RX_VIEW("\x08\x0e"
					     "\x1a\x1d\x0a\x17"
					     "x/google.rpc.RetryInfo!"
					     "\x12\x02\xff\xff"
					     "\x1a\x1c\x0a\x16"
					     "x/google.rpc.RetryInfo"
					     "\x12\x02\xff\xff"
					     "\x1a\x00"),
				     &got, &err),
		  "%s", rx_err_text(&err));
	cr_expect(got.code == 14 && !got.has_retry);
}

Test(wire_status, a_long_message_is_cut_between_characters)
{
	struct wire_status s = { .code = 2 }, got;
	char *text = arena_alloc(&arena, 3 * LIMIT_STATUS_MESSAGE + 1);

	for (size_t i = 0; i < LIMIT_STATUS_MESSAGE; i++)
		memcpy(text + 3 * i, "\u20ac", 3);
	text[3 * LIMIT_STATUS_MESSAGE] = 0;
	s.message = text;
	rx_buf_release(&out);
	out.max = 1 << 20;
	wire_status_pack(&s, &out);
	cr_assert(wire_status_unpack(&arena, packed(), &got, &err));
	cr_expect_eq(strlen(got.message), LIMIT_STATUS_MESSAGE / 3 * 3);
}

Test(wire_status, request_metadata_goes_both_ways)
{
	struct wire_metadata m = { .tool_name = "remex", .target_id = "//a:b" }, got;

	wire_metadata_pack(&m, &out);
	cr_assert(wire_metadata_unpack(&arena, packed(), &got, &err));
	cr_expect_str_eq(got.tool_name, "remex");
	cr_expect_str_eq(got.target_id, "//a:b");
	cr_expect_str_eq(got.action_id, "");
	wire_metadata_pack(&(struct wire_metadata){ 0 }, &out);
	cr_expect_eq(out.n, 0);
	cr_assert(wire_metadata_unpack(&arena, (struct rx_view){ 0 }, &got, &err));
	cr_expect_str_eq(got.tool_version, "");
}

Test(wire_capabilities, rule_37_parts_may_be_absent)
{
	struct wire_capabilities c = { .has_execution = true,
				       .exec_enabled = true,
				       .high = { .major = 2, .minor = 12, .present = true } },
				 got;

	wire_capabilities_pack(&c, &out);
	cr_assert(wire_capabilities_unpack(&arena, packed(), &got, &err));
	cr_expect(!got.has_cache && got.has_execution && got.exec_enabled);
	cr_expect(got.high.present && got.high.minor == 12 && !got.low.present);
	cr_assert(wire_capabilities_unpack(&arena, (struct rx_view){ 0 }, &got, &err));
	cr_expect(!got.has_cache && !got.has_execution && !got.high.present, "rule 39");
}

Test(wire_capabilities, everything_survives_the_way_there_and_back)
{
	struct wire_priority_range range = { -10, 10 };
	const char *props[] = { "mtime" };
	struct wire_capabilities c = {
		.has_cache = true,
		.has_execution = true,
		.low = { .major = 2, .present = true },
		.deprecated = { .prerelease = "alpha", .present = true },
		.cache_functions = { DIGEST_SHA256, DIGEST_BLAKE3 },
		.n_cache_functions = 2,
		.update_enabled = true,
		.max_batch = 4 << 20,
		.max_blob = 1ll << 40,
		.symlinks = WIRE_SYMLINKS_ALLOWED,
		.compressors = { COMPRESSOR_IDENTITY, COMPRESSOR_ZSTD },
		.n_compressors = 2,
		.batch_compressors = { COMPRESSOR_ZSTD },
		.n_batch_compressors = 1,
		.split = true,
		.has_fastcdc = true,
		.fastcdc_avg = 524288,
		.has_repmaxcdc = true,
		.exec_functions = { DIGEST_SHA256 },
		.n_exec_functions = 1,
		.exec_priorities = &range,
		.n_exec_priorities = 1,
		.node_properties = props,
		.n_node_properties = 1,
	}, got;

	wire_capabilities_pack(&c, &out);
	cr_assert(wire_capabilities_unpack(&arena, packed(), &got, &err));
	cr_expect_str_eq(got.deprecated.prerelease, "alpha");
	cr_expect(got.n_cache_functions == 2 && got.cache_functions[1] == DIGEST_BLAKE3);
	cr_expect(got.update_enabled && got.max_batch == c.max_batch && got.max_blob == c.max_blob);
	cr_expect_eq(got.symlinks, WIRE_SYMLINKS_ALLOWED);
	cr_expect(got.n_compressors == 2 && got.compressors[1] == COMPRESSOR_ZSTD, "rule 50");
	cr_expect(got.n_batch_compressors == 1 && got.split && !got.splice);
	cr_expect(got.has_fastcdc && got.fastcdc_avg == 524288 && got.has_repmaxcdc, "rule 55");
	cr_expect(got.n_exec_priorities == 1 && got.exec_priorities[0].min == -10);
	cr_expect_str_eq(got.node_properties[0], "mtime");
}

Test(wire_capabilities, rule_41_field_5_or_else_field_1)
{
	struct wire_capabilities got;

	cr_assert(wire_capabilities_unpack(&arena, RX_VIEW("\x12\x02\x08\x03"), &got, &err));
	cr_expect(got.n_exec_functions == 1 && got.exec_functions[0] == DIGEST_MD5);
	cr_assert(wire_capabilities_unpack(&arena, RX_VIEW("\x12\x06\x08\x03\x2a\x02\x01\x02"),
					   &got, &err));
	cr_expect(got.n_exec_functions == 2 && got.exec_functions[1] == DIGEST_SHA1);
}

Test(wire_capabilities, rule_35_unknown_and_repeated_values_are_left_out)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf list = { 0 };
	struct wire_capabilities got;

	for (int i = 0; i < 120; i++)
		rx_buf_add_char(&list, (char)(i % 60));
	rx_buf_add(&out, "\x0a\xf4\x01\x0a\x78", 5);
	rx_buf_add(&out, list.p, 120);
	rx_buf_add(&out, "\x32\x78", 2);
	rx_buf_add(&out, list.p, 120);
	cr_assert(wire_capabilities_unpack(&arena, packed(), &got, &err), "%s", rx_err_text(&err));
	cr_expect_eq(got.n_cache_functions, 10);
	cr_expect_eq(got.n_compressors, 4);
	/* a limit below zero is none; a strategy from the future is unknown */
	cr_assert(wire_capabilities_unpack(
		&arena, RX_VIEW("\x0a\x0d\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x28\x09"),
		&got, &err));
	cr_expect(got.max_batch == 0 && got.symlinks == WIRE_SYMLINKS_UNKNOWN);
}

Test(wire_capabilities, rule_40_versions_compare_and_a_prerelease_comes_first)
{
	const struct wire_semver order[] = {
		{ .prerelease = "alpha" },
		{ .prerelease = "beta" },
		{ .major = 1, .minor = 99 },
		{ .major = 2 },
		{ .major = 2, .minor = 3 },
		{ .major = 2, .minor = 12 },
		{ .major = 2, .minor = 12, .patch = 1, .prerelease = "" },
	};

	for (size_t i = 0; i < RX_COUNT(order); i++)
		for (size_t k = 0; k < RX_COUNT(order); k++) {
			int c = wire_semver_cmp(&order[i], &order[k]);

			cr_expect_eq((c > 0) - (c < 0), (i > k) - (i < k), "%zu and %zu", i, k);
		}
}

Test(wire_capabilities, the_request_is_an_instance)
{
	const char *instance;

	wire_capabilities_request_pack("a/b", &out);
	cr_assert(wire_capabilities_request_unpack(&arena, packed(), &instance, &err));
	cr_expect_str_eq(instance, "a/b");
}

Test(wire_execution, requests_go_both_ways)
{
	const char *files[] = { "a" };
	struct wire_execute m = { .instance = "i",
				  .skip_cache_lookup = true,
				  .action = some_digest(1),
				  .priority = -5,
				  .inline_stdout = true,
				  .inline_files = files,
				  .n_inline_files = 1 },
			    got;
	const char *name;

	wire_execute_pack(&m, &out);
	cr_assert(wire_execute_unpack(&arena, packed(), &got, &err));
	cr_expect(digest_eq(&got.action, &m.action) && got.skip_cache_lookup && got.inline_stdout);
	cr_expect(got.priority == -5 && got.cache_priority == 0 && got.n_inline_files == 1);
	wire_name_pack("operations/1", &out);
	cr_assert(wire_name_unpack(&arena, packed(), &name, &err));
	cr_expect_str_eq(name, "operations/1");
	cr_expect_not(wire_execute_unpack(&arena, (struct rx_view){ 0 }, &got, &err), "rule 19");
}

Test(wire_execution, rule_111_a_done_operation_goes_both_ways)
{
	struct result_output o = { .path = "f", .kind = NODE_FILE, .digest = some_digest(2) };
	struct wire_log log = { "setup", some_digest(3), true };
	struct wire_violation v = { .is_missing = true, .digest = some_digest(4) };
	struct wire_operation m = {
		.name = "op/1",
		.done = true,
		.has_metadata = true,
		.stage = STAGE_COMPLETED,
		.action = some_digest(1),
		.stdout_stream = "s/1",
		.has_response = true,
		.has_result = true,
		.result = { .outputs = &o, .n_outputs = 1, .exit_code = 3 },
		.cached = true,
		.status = { .code = 4, .message = "late", .violations = &v, .n_violations = 1 },
		.message = "hello",
		.logs = &log,
		.n_logs = 1,
	}, got;

	wire_operation_pack(&m, WIRE_LINKS_NEW, &out);
	cr_assert(wire_operation_unpack(&arena, packed(), DIGEST_SHA256, &got, &err), "%s",
		  rx_err_text(&err));
	cr_expect_str_eq(got.name, "op/1");
	cr_expect(got.done && got.has_metadata && got.stage == STAGE_COMPLETED);
	cr_expect(digest_eq(&got.action, &m.action));
	cr_expect_str_eq(got.stdout_stream, "s/1");
	cr_expect_str_eq(got.stderr_stream, "");
	cr_expect(got.has_response && got.has_result && got.result.exit_code == 3 && got.cached);
	cr_expect(got.status.code == 4 && got.status.all_missing, "rule 115");
	cr_expect_str_eq(got.message, "hello");
	cr_expect(got.n_logs == 1 && got.logs[0].human_readable &&
		  digest_eq(&got.logs[0].digest, &log.digest));
	cr_expect_not(got.has_error);
}

Test(wire_execution, rule_113_an_error_in_the_operation_is_coped_with)
{
	struct wire_operation m = { .name = "op",
				    .done = true,
				    .has_error = true,
				    .error = { .code = 13, .message = "broken" } },
			      got;

	wire_operation_pack(&m, 0, &out);
	cr_assert(wire_operation_unpack(&arena, packed(), DIGEST_SHA256, &got, &err));
	cr_expect(got.has_error && got.error.code == 13 && !got.has_response);
	cr_expect_str_eq(got.error.message, "broken");
	cr_expect_eq(got.status.code, 0);
}

Test(wire_execution, rule_112_a_running_operation_has_a_stage_at_most)
{
	struct wire_operation got;

	cr_assert(wire_operation_unpack(&arena,
					RX_VIEW("\x0a\x02"
						"op"),
					DIGEST_SHA256, &got, &err));
	cr_expect(!got.done && !got.has_metadata && got.stage == STAGE_UNKNOWN);
	/* metadata of another type is none of ours; a stage from the future is unknown */
	cr_assert(wire_operation_unpack(&arena,
					RX_VIEW("\x12\x07\x0a\x01"
						"x"
						"\x12\x02\xff\xff"),
					DIGEST_SHA256, &got, &err));
	cr_expect_not(got.has_metadata);
}

Test(wire_execution, a_response_of_another_type_is_refused)
{
	struct wire_operation got;

	cr_expect_not(wire_operation_unpack(&arena,
					    RX_VIEW("\x18\x01\x2a\x05\x0a\x03"
						    "x/y"),
					    DIGEST_SHA256, &got, &err));
	cr_expect(strstr(rx_err_text(&err), "'x/y', not an ExecuteResponse"), "%s",
		  rx_err_text(&err));
}

Test(wire_execution, rule_130_of_a_log_told_twice_the_last_counts)
{
	struct wire_log logs[] = { { "a", some_digest(1), false },
				   { "b", some_digest(2), false },
				   { "a", some_digest(3), true } };
	struct wire_operation m = { .done = true, .has_response = true, .logs = logs, .n_logs = 3 },
			      got;

	wire_operation_pack(&m, 0, &out);
	cr_assert(wire_operation_unpack(&arena, packed(), DIGEST_SHA256, &got, &err));
	cr_assert_eq(got.n_logs, 2);
	cr_expect(digest_eq(&got.logs[0].digest, &logs[2].digest) && got.logs[0].human_readable);
	cr_expect_str_eq(got.logs[1].name, "b");
}

Test(wire_bytestream, requests_go_both_ways_without_copying)
{
	struct wire_read_request read = { "a/blobs/x/1", 5, -1 }, read_got;
	struct wire_write_request write = { .resource = "r", .offset = 7, .finish = true }, got;
	struct rx_view bytes;

	wire_read_request_pack(&read, &out);
	cr_assert(wire_read_request_unpack(&arena, packed(), &read_got, &err));
	cr_expect_str_eq(read_got.resource, "a/blobs/x/1");
	cr_expect(read_got.offset == 5 && read_got.limit == -1);
	wire_write_request_add_header(&write, 300, &out);
	for (int i = 0; i < 300; i++)
		rx_buf_add_char(&out, (char)i);
	bytes = packed();
	cr_assert(wire_write_request_unpack(&arena, bytes, &got, &err));
	cr_expect_str_eq(got.resource, "r");
	cr_expect(got.offset == 7 && got.finish && got.data.n == 300);
	cr_expect_eq(got.data.p, bytes.p + bytes.n - 300);
	/* rule 86: the last message may have no data, rule 82: and no name */
	wire_write_request_add_header(&(struct wire_write_request){ .finish = true }, 0, &out);
	cr_expect(rx_view_eq(packed(), RX_VIEW("\x18\x01")));
	cr_assert(wire_write_request_unpack(&arena, RX_VIEW("\x18\x01"), &got, &err));
	cr_expect(!*got.resource && got.finish && !got.data.n);
}

Test(wire_bytestream, rule_73_answers_may_be_empty)
{
	struct rx_view data, bytes;

	cr_assert(wire_read_response_unpack((struct rx_view){ 0 }, &data, &err));
	cr_expect_eq(data.n, 0);
	wire_read_response_add_header(&out, 0);
	cr_expect_eq(out.n, 0);
	wire_read_response_add_header(&out, 4);
	rx_buf_add_str(&out, "data");
	bytes = packed();
	cr_assert(wire_read_response_unpack(bytes, &data, &err));
	cr_expect(rx_view_eq_str(data, "data") && data.p == bytes.p + 2);
	cr_expect_not(wire_read_response_unpack(RX_VIEW("\x52\x05"
							"data"),
						&data, &err));
}

Test(wire_bytestream, rule_88_committed_minus_one)
{
	int64_t committed = 0;
	bool complete = false;

	wire_write_response_pack(-1, &out);
	cr_assert(wire_write_response_unpack(packed(), &committed, &err));
	cr_expect_eq(committed, -1);
	wire_query_response_pack(12345, true, &out);
	cr_assert(wire_query_response_unpack(packed(), &committed, &complete, &err));
	cr_expect(committed == 12345 && complete);
	wire_write_response_pack(0, &out);
	cr_expect_eq(out.n, 0);
}

Test(wire_bytestream, health_is_one_number)
{
	wire_health_pack(true, &out);
	cr_expect(rx_view_eq(packed(), RX_VIEW("\x08\x01")));
	wire_health_pack(false, &out);
	cr_expect(rx_view_eq(packed(), RX_VIEW("\x08\x02")));
}
