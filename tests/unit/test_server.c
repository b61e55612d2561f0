/* test_server: the cache side of the server over a socket, rule by rule. */
#include "server_fixture.h"

#include <pthread.h>

#include "utf8.h"

TestSuite(server, .init = fx_setup, .fini = fx_teardown, .timeout = 60);

static const struct server_options defaults;
static const struct rx_view hello = { "hello, world", 12 };

/* The place of a blob in the store's directory. */
static char *stored(const struct digest *d)
{
	char hex[129];

	digest_hex(d, hex);
	return xasprintf("%s/cas/sha256/%.2s/%s-%" PRId64, fx_dir, hex, hex, d->size);
}

static void damage(const struct digest *d, int64_t at)
{
	char *path = stored(d);
	int fd;

	cr_assert(chmod(path, 0600) == 0);
	fd = open(path, O_WRONLY);
	cr_assert(pwrite(fd, "?!", 2, at) == 2);
	close(fd);
	free(path);
}

static struct wire_capabilities capabilities(void)
{
	struct wire_capabilities caps = { 0 };
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	struct rx_view reply;

	wire_capabilities_request_pack("main/sub", &req);
	cr_assert(fx_unary(WIRE_CAPABILITIES, &req, &reply) == 0, "%s", fx_status.message);
	cr_assert(wire_capabilities_unpack(&fx_arena, reply, &caps, &err), "%s", rx_err_text(&err));
	return caps;
}

Test(server, rule_37_38_44_capabilities_of_a_cache)
{
	struct wire_capabilities caps;
	bool sha256 = false;

	fx_start(defaults);
	caps = capabilities();
	cr_expect(caps.has_cache && !caps.has_execution && !caps.exec_enabled);
	cr_expect(wire_semver_cmp(&caps.deprecated, &caps.low) <= 0);
	cr_expect(caps.low.major == 2 && caps.low.minor == 0);
	cr_expect(caps.high.major == 2 && caps.high.minor == 12);
	cr_expect(caps.max_batch > 0 && caps.max_batch < 4 << 20);
	cr_expect(caps.update_enabled);
	cr_expect(caps.symlinks == WIRE_SYMLINKS_ALLOWED);
	for (size_t i = 0; i < caps.n_cache_functions; i++) {
		sha256 |= caps.cache_functions[i] == DIGEST_SHA256;
		cr_expect(caps.cache_functions[i] != DIGEST_UNKNOWN, "REAPI rule 35");
		cr_expect(digest_function_supported(caps.cache_functions[i]));
	}
	cr_expect(sha256 && caps.n_cache_functions == 7);
}

Test(server, rule_152_153_instance_names)
{
	static const char *const bad[] = { "/a", "a/", "a//b", "a/blobs/b", "uploads" };
	struct rx_buf req = { 0 };

	fx_start(defaults);
	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		wire_capabilities_request_pack(bad[i], &req);
		cr_expect(fx_unary(WIRE_CAPABILITIES, &req, NULL) == RPC_INVALID_ARGUMENT, "%s",
			  bad[i]);
	}
}

Test(server, health)
{
	struct rx_buf req = { 0 };
	struct rx_view reply;

	fx_start(defaults);
	cr_expect(fx_unary(WIRE_HEALTH, &req, &reply) == 0);
	cr_expect(reply.n == 2 && reply.p[0] == 0x08 && reply.p[1] == 1, "SERVING");
	wire_name_pack("google.bytestream.ByteStream", &req);
	cr_expect(fx_unary(WIRE_HEALTH, &req, &reply) == 0);
	wire_name_pack("some.other.Service", &req);
	cr_expect(fx_unary(WIRE_HEALTH, &req, &reply) == RPC_NOT_FOUND);
}

Test(server, malformed_requests_are_invalid_argument)
{
	static const char *const methods[] = {
		WIRE_CAS "FindMissingBlobs",
		WIRE_CAS "BatchUpdateBlobs",
		WIRE_CAS "BatchReadBlobs",
		WIRE_CAS "GetTree",
		WIRE_AC "GetActionResult",
		WIRE_AC "UpdateActionResult",
		WIRE_BYTESTREAM "Read",
		WIRE_BYTESTREAM "Write",
		WIRE_BYTESTREAM "QueryWriteStatus",
		WIRE_CAPABILITIES,
	};

	fx_start(defaults);
	for (size_t i = 0; i < RX_COUNT(methods); i++) {
		struct rx_buf req = { 0 };

		rx_buf_add(&req,
			   "\x0a\x7f"
			   "cut short",
			   11);
		cr_expect(fx_unary(methods[i], &req, NULL) == RPC_INVALID_ARGUMENT, "%s: %d %s",
			  methods[i], fx_status.code, fx_status.message);
		cr_expect(fx_status.message[0]);
	}
}

Test(server, execution_is_not_there_on_a_cache)
{
	struct rx_buf req = { 0 };

	fx_start(defaults);
	wire_name_pack("operations/x", &req);
	cr_expect(fx_unary(WIRE_EXECUTION "WaitExecution", &req, NULL) == RPC_UNIMPLEMENTED);
}

Test(server, rule_57_find_missing_gives_the_absent_ones)
{
	struct digest d[3];

	fx_start(defaults);
	d[0] = fx_put(hello);
	d[1] = fx_digest(RX_VIEW("absent"));
	digest_empty(DIGEST_SHA256, &d[2]); /* REAPI rule 32 */
	cr_expect(fx_missing(d, 3) == 1);
	cr_expect(fx_missing(&d[1], 1) == 1);
	cr_expect(fx_missing(d, 0) == 0);
}

Test(server, rule_6_28_34_bad_digests)
{
	/* FindMissingBlobsRequest.blob_digests = 2 { hash = 1, size_bytes = 2 } */
	static const char *const hashes[] = {
		"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "abcd", "",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g"
	};
	struct digest mixed[2];
	const struct wire_find m = { .digests = { mixed, 2 } };
	struct rx_buf req = { 0 };

	fx_start(defaults);
	for (size_t i = 0; i < RX_COUNT(hashes); i++) {
		size_t n = strlen(hashes[i]);

		rx_buf_add_char(&req, 0x12);
		rx_buf_add_char(&req, (char)(n + 4));
		rx_buf_add_char(&req, 0x0a);
		rx_buf_add_char(&req, (char)n);
		rx_buf_add(&req, hashes[i], n);
		rx_buf_add(&req, "\x10\x05", 2);
		cr_expect(fx_unary(WIRE_CAS "FindMissingBlobs", &req, NULL) == RPC_INVALID_ARGUMENT,
			  "%s", hashes[i]);
	}
	mixed[0] = fx_digest(hello);
	digest_of_view(DIGEST_SHA1, hello, &mixed[1]);
	wire_find_pack(&m, &req);
	cr_expect(fx_unary(WIRE_CAS "FindMissingBlobs", &req, NULL) == RPC_INVALID_ARGUMENT);
}

Test(server, rule_30_functions_by_length)
{
	static const enum digest_function all[] = { DIGEST_SHA1, DIGEST_MD5, DIGEST_SHA384,
						    DIGEST_SHA512 };

	fx_start(defaults);
	for (size_t i = 0; i < RX_COUNT(all); i++) {
		struct digest d;
		int code = -1;

		digest_of_view(all[i], hello, &d);
		cr_expect(fx_missing(&d, 1) == 1);
		cr_expect(fx_update("", &d, &hello, 1, &code) == 0 && code == 0);
		cr_expect(fx_missing(&d, 1) == 0);
	}
}

Test(server, unsupported_function_is_refused)
{
	struct digest d = fx_digest(hello);
	struct wire_find m = { .function = DIGEST_BLAKE3, .digests = { &d, 1 } };
	struct rx_buf req = { 0 };

	fx_start(defaults);
	d.function = DIGEST_BLAKE3;
	wire_find_pack(&m, &req);
	cr_expect(fx_unary(WIRE_CAS "FindMissingBlobs", &req, NULL) == RPC_INVALID_ARGUMENT);
}

Test(server, rule_61_63_entries_succeed_alone)
{
	struct digest d[3] = { fx_digest(hello), fx_digest(RX_VIEW("other")),
			       fx_digest(RX_VIEW("third")) };
	struct rx_view data[3] = { hello, RX_VIEW("wrong"), RX_VIEW("third") };
	int codes[3];

	fx_start(defaults);
	cr_assert(fx_update("", d, data, 3, codes) == 0);
	cr_expect(codes[0] == 0 && codes[2] == 0);
	cr_expect(codes[1] == RPC_INVALID_ARGUMENT);
	cr_expect(fx_missing(d, 3) == 1);
}

Test(server, rule_7_right_hash_wrong_size)
{
	struct rx_view longer = RX_VIEW("hello, world!");
	struct digest d = fx_digest(hello);
	int code = 0;

	fx_start(defaults);
	d.size = 13;
	cr_assert(fx_update("", &d, &longer, 1, &code) == 0);
	cr_expect(code == RPC_INVALID_ARGUMENT);
	fx_put(hello);
	cr_expect(fx_missing(&d, 1) == 1, "another size is another blob");
}

Test(server, rule_44_60_batches_have_a_limit)
{
	struct rx_view half, rest, more;
	struct digest d[3];
	struct rx_view data[3];
	int codes[3];
	int64_t max;

	fx_start(defaults);
	max = capabilities().max_batch;
	half = fx_bytes(1, (size_t)max / 2);
	rest = fx_bytes(2, (size_t)(max - max / 2));
	more = fx_bytes(3, 1);
	d[0] = fx_digest(half), d[1] = fx_digest(rest), d[2] = fx_digest(more);
	data[0] = half, data[1] = rest, data[2] = more;
	cr_expect(fx_update("", d, data, 3, codes) == RPC_INVALID_ARGUMENT);
	cr_expect(fx_missing(d, 3) == 3, "none of it was taken");
	cr_expect(fx_update("", d, data, 2, codes) == 0 && !codes[0] && !codes[1]);

	struct wire_read m = { .digests = { d, 2 } };
	struct rx_buf req = { 0 };
	struct rx_view reply;

	wire_read_pack(&m, &req);
	cr_expect(fx_unary(WIRE_CAS "BatchReadBlobs", &req, &reply) == 0, "%s", fx_status.message);
	fx_put(more);
	m.digests.n = 3;
	wire_read_pack(&m, &req);
	cr_expect(fx_unary(WIRE_CAS "BatchReadBlobs", &req, &reply) == RPC_INVALID_ARGUMENT);
}

Test(server, rule_65_66_batch_read)
{
	struct digest d[4];
	const struct wire_read m = { .digests = { d, 4 } };
	struct wire_blob_statuses got;
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	struct rx_view reply;

	fx_start(defaults);
	d[0] = fx_put(hello);
	d[1] = fx_digest(RX_VIEW("absent"));
	digest_empty(DIGEST_SHA256, &d[2]);
	d[3] = fx_put(RX_VIEW("to be damaged"));
	damage(&d[3], 3);
	wire_read_pack(&m, &req);
	cr_assert(fx_unary(WIRE_CAS "BatchReadBlobs", &req, &reply) == 0);
	cr_assert(wire_read_reply_unpack(&fx_arena, reply, DIGEST_SHA256, &got, &err));
	cr_assert(got.n == 4);
	for (size_t i = 0; i < 4; i++) {
		const struct wire_blob_status *s = &got.v[i];

		cr_expect(s->compressor == COMPRESSOR_IDENTITY);
		if (digest_eq(&s->digest, &d[0]))
			cr_expect(s->code == 0 && rx_view_eq(s->data, hello));
		else if (digest_eq(&s->digest, &d[2]))
			cr_expect(s->code == 0 && s->data.n == 0);
		else
			cr_expect(s->code == RPC_NOT_FOUND);
	}
	cr_expect(fx_missing(&d[3], 1) == 1, "the damaged one is dropped");
}

Test(server, read_only_cache)
{
	struct server_options o = { .read_only = true };
	struct digest d = fx_digest(hello);
	struct wire_update_result u = { .action = d };
	struct rx_buf req = { 0 };
	struct call_writer *w;
	int64_t committed;

	fx_start(defaults);
	fx_put(hello);
	fx_stop();
	fx_start(o);
	cr_expect(!capabilities().update_enabled);
	cr_expect(fx_update("", &d, &hello, 1, NULL) == RPC_PERMISSION_DENIED);
	wire_update_result_pack(&u, WIRE_LINKS_NEW, &req);
	cr_expect(fx_unary(WIRE_AC "UpdateActionResult", &req, NULL) == RPC_PERMISSION_DENIED);
	w = fx_write();
	(void)fx_send(w, fx_resource("", "u", &d), 0, hello, true);
	cr_expect(fx_write_end(w, &committed) == RPC_PERMISSION_DENIED);
	cr_expect(fx_missing(&d, 1) == 0, "reading goes on");
}

Test(server, full_store_is_resource_exhausted)
{
	struct server_options o = { .max_size = 1 << 20 };
	struct digest d[3];
	struct rx_view data[3];
	int codes[3];

	fx_start(o);
	for (unsigned i = 0; i < 3; i++) {
		data[i] = fx_bytes(i, 400000);
		d[i] = fx_digest(data[i]);
	}
	cr_assert(fx_update("", d, data, 3, codes) == 0);
	cr_expect(codes[0] == 0 && codes[1] == 0);
	cr_expect(codes[2] == RPC_RESOURCE_EXHAUSTED, "REAPI rule 63: %d", codes[2]);
}

/* --- ByteStream.Read --- */

Test(server, rule_70_74_download)
{
	struct rx_view small, large, got;
	struct digest d[2];

	fx_start(defaults);
	small = hello;
	large = fx_bytes(7, 3500000);
	d[0] = fx_put(small);
	d[1] = fx_put(large);
	cr_expect(fx_download(fx_resource("", NULL, &d[0]), 0, 0, &got) == 0);
	cr_expect(rx_view_eq(got, small));
	cr_expect(fx_download(fx_resource("any/instance", NULL, &d[1]), 0, 0, &got) == 0);
	cr_expect(rx_view_eq(got, large));
	cr_expect(fx_n_messages > 1);
	/* a part, within a piece and over its border */
	cr_expect(fx_download(fx_resource("", NULL, &d[0]), 7, 3, &got) == 0);
	cr_expect(rx_view_eq(got, RX_VIEW("wor")));
	cr_expect(fx_download(fx_resource("", NULL, &d[1]), 1000001, 2000000, &got) == 0);
	cr_expect(rx_view_eq(got, (struct rx_view){ large.p + 1000001, 2000000 }));
	cr_expect(fx_download(fx_resource("", NULL, &d[1]), 3499999, 100, &got) == 0);
	cr_expect(got.n == 1);
}

Test(server, rule_71_72_offsets_and_limits)
{
	struct digest d[2];
	struct rx_view got;

	fx_start(defaults);
	d[0] = fx_put(hello);
	d[1] = fx_put(fx_bytes(8, 2000000));
	for (int i = 0; i < 2; i++) {
		const char *name = fx_resource("", NULL, &d[i]);

		cr_expect(fx_download(name, -1, 0, &got) == RPC_OUT_OF_RANGE);
		cr_expect(fx_download(name, d[i].size + 1, 0, &got) == RPC_OUT_OF_RANGE);
		cr_expect(fx_download(name, d[i].size, 0, &got) == 0 && got.n == 0);
		cr_expect(fx_download(name, 0, -1, &got) == RPC_INVALID_ARGUMENT);
		cr_expect(fx_download(name, 2, 5, &got) == 0 && got.n == 5);
	}
}

Test(server, rule_32_75_absent_and_empty_download)
{
	struct digest absent, big = { 0 }, empty;
	struct rx_view got;

	fx_start(defaults);
	absent = big = fx_digest(RX_VIEW("absent"));
	big.size = 5 << 20;
	digest_empty(DIGEST_SHA256, &empty);
	cr_expect(fx_download(fx_resource("", NULL, &absent), 0, 0, &got) == RPC_NOT_FOUND);
	cr_expect(fx_download(fx_resource("", NULL, &big), 0, 0, &got) == RPC_NOT_FOUND);
	cr_expect(fx_download(fx_resource("", NULL, &empty), 0, 0, &got) == 0 && got.n == 0);
}

Test(server, bad_download_names)
{
	struct digest d;
	const char *name;

	fx_start(defaults);
	d = fx_put(hello);
	cr_expect(fx_download("", 0, 0, NULL) == RPC_INVALID_ARGUMENT);
	cr_expect(fx_download("blobs/abc/12", 0, 0, NULL) == RPC_INVALID_ARGUMENT);
	cr_expect(fx_download("nothing/of/ours", 0, 0, NULL) == RPC_INVALID_ARGUMENT);
	name = fx_resource("", "11111111-1111-4111-8111-111111111111", &d);
	cr_expect(fx_download(name, 0, 0, NULL) == RPC_INVALID_ARGUMENT);
	name = arena_printf(&fx_arena, "compressed-blobs/zstd/%s",
			    fx_resource("", NULL, &d) + strlen("blobs/"));
	cr_expect(fx_download(name, 0, 0, NULL) == RPC_INVALID_ARGUMENT);
}

Test(server, rule_76_damaged_blobs_are_not_served)
{
	struct digest d[2];
	struct rx_view got;

	fx_start(defaults);
	d[0] = fx_put(hello);
	d[1] = fx_put(fx_bytes(9, 3000000));
	damage(&d[0], 1);
	damage(&d[1], 2999990);
	cr_expect(fx_download(fx_resource("", NULL, &d[0]), 0, 0, &got) == RPC_NOT_FOUND);
	cr_expect(fx_download(fx_resource("", NULL, &d[1]), 0, 0, &got) == RPC_DATA_LOSS);
	cr_expect(got.n < 3000000, "never all of it");
	cr_expect(fx_missing(d, 2) == 2);
}

/* --- ByteStream.Write --- */

Test(server, rule_82_84_85_upload)
{
	static const size_t sizes[] = { 1, 12, 1 << 20, 3000001 };

	fx_start(defaults);
	for (size_t i = 0; i < RX_COUNT(sizes); i++) {
		struct rx_view v = fx_bytes((unsigned)i, sizes[i]), got;
		struct digest d = fx_digest(v);
		const char *name = fx_resource("x", "11111111-1111-4111-8111-111111111111", &d);
		struct call_writer *w = fx_write();
		int64_t committed;

		for (size_t at = 0; at < v.n; at += 700000) {
			size_t n = RX_MIN(v.n - at, (size_t)700000);

			/* the name again on odd pieces */
			cr_expect(fx_send(w, at && at / 700000 % 2 == 0 ? "" : name, (int64_t)at,
					  (struct rx_view){ v.p + at, n }, at + n == v.n));
		}
		cr_expect(fx_write_end(w, &committed) == 0, "%s", fx_status.message);
		cr_expect(committed == d.size, "REAPI rule 90");
		cr_expect(fx_download(fx_resource("", NULL, &d), 0, 0, &got) == 0);
		cr_expect(rx_view_eq(got, v));
	}
}

Test(server, rule_86_finish_alone_and_empty_blob)
{
	struct digest d = fx_digest(hello), empty;
	const char *name;
	struct call_writer *w;
	int64_t committed;

	fx_start(defaults);
	name = fx_resource("", "u", &d);
	w = fx_write();
	cr_expect(fx_send(w, name, 0, hello, false));
	cr_expect(fx_send(w, NULL, 12, (struct rx_view){ "", 0 }, true));
	cr_expect(fx_write_end(w, &committed) == 0 && committed == 12);
	digest_empty(DIGEST_SHA256, &empty);
	w = fx_write();
	cr_expect(fx_send(w, fx_resource("", "u", &empty), 0, (struct rx_view){ "", 0 }, true));
	cr_expect(fx_write_end(w, &committed) == 0 && committed == 0);
}

Test(server, rule_87_91_existing_blob_returns_early)
{
	struct rx_view v = fx_bytes(1, 8 << 20);
	struct digest d = fx_digest(v);
	const char *name = fx_resource("", "u", &d);
	struct call_writer *w;
	int64_t committed;

	fx_start(defaults);
	for (int i = 0; i < 2; i++) {
		size_t at = 0;

		w = fx_write();
		while (at < v.n &&
		       fx_send(w, at ? NULL : name, (int64_t)at,
			       (struct rx_view){ v.p + at, 1 << 20 }, at + (1 << 20) == v.n))
			at += 1 << 20;
		cr_expect(fx_write_end(w, &committed) == 0, "%s", fx_status.message);
		cr_expect(committed == d.size);
	}
	/* Its first bytes are enough. */
	w = fx_write();
	(void)fx_send(w, name, 0, (struct rx_view){ v.p, 10 }, false);
	cr_expect(fx_write_end(w, &committed) == 0 && committed == d.size);
}

struct bad_upload {
	const char *first, *second; /* NULL: the right name */
	int64_t offsets[2];
	struct rx_view parts[2];
	bool finish[2];
};

Test(server, rule_82_92_bad_uploads)
{
	struct digest d = fx_digest(hello);
	static const struct bad_upload table[] = {
		{ "", NULL, { 0, 5 }, { { "hello", 5 }, { ", world", 7 } }, { false, true } },
		{ "nonsense",
		  NULL,
		  { 0, 5 },
		  { { "hello", 5 }, { ", world", 7 } },
		  { false, true } },
		{ NULL, "x", { 0, 5 }, { { "hello", 5 }, { ", world", 7 } }, { false, true } },
		{ NULL, NULL, { 0, 4 }, { { "hello", 5 }, { ", world", 7 } }, { false, true } },
		{ NULL, NULL, { 3, 8 }, { { "hello", 5 }, { ", world", 7 } }, { false, true } },
		{ NULL, NULL, { -1, 5 }, { { "hello", 5 }, { ", world", 7 } }, { false, true } },
		{ NULL, NULL, { 0, 5 }, { { "hello", 5 }, { ", world", 7 } }, { false, false } },
		{ NULL, NULL, { 0, 5 }, { { "hello", 5 }, { ", moon!", 7 } }, { false, true } },
		{ NULL, NULL, { 0, 5 }, { { "hello", 5 }, { ", world!", 8 } }, { false, true } },
		{ NULL, NULL, { 0, 5 }, { { "hello", 5 }, { ", worl", 6 } }, { false, true } },
	};
	int64_t committed;

	fx_start(defaults);
	for (size_t i = 0; i < RX_COUNT(table); i++) {
		const struct bad_upload *t = &table[i];
		const char *name = fx_resource("", "u", &d);
		struct call_writer *w = fx_write();

		if (fx_send(w, t->first ? t->first : name, t->offsets[0], t->parts[0],
			    t->finish[0]))
			(void)fx_send(w, t->second, t->offsets[1], t->parts[1], t->finish[1]);
		cr_expect(fx_write_end(w, &committed) == RPC_INVALID_ARGUMENT, "case %zu: %d %s", i,
			  fx_status.code, fx_status.message);
		cr_expect(fx_missing(&d, 1) == 1, "case %zu", i);
	}
}

Test(server, compressed_uploads_are_refused)
{
	struct digest d = fx_digest(hello);
	struct rx_buf name = { 0 };
	struct call_writer *w;
	int64_t committed;

	fx_start(defaults);
	resource_add_upload(&name, "", "u", COMPRESSOR_ZSTD, &d);
	w = fx_write();
	(void)fx_send(w, rx_buf_str(&name), 0, hello, true);
	cr_expect(fx_write_end(w, &committed) == RPC_INVALID_ARGUMENT);
	rx_buf_release(&name);
}

static int query(const char *name, int64_t *committed, bool *complete)
{
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	struct rx_view reply;

	wire_name_pack(name, &req);
	if (fx_unary(WIRE_BYTESTREAM "QueryWriteStatus", &req, &reply))
		return fx_status.code;
	cr_assert(wire_query_response_unpack(reply, committed, complete, &err));
	return 0;
}

Test(server, rule_94_96_query_write_status)
{
	struct rx_view v = fx_bytes(5, 2000000);
	struct digest d = fx_digest(v);
	const char *name = fx_resource("", "u1", &d), *other = fx_resource("", "u2", &d);
	int64_t committed = -1, before = 0, at_end;
	struct call_writer *w;
	bool complete = true;

	fx_start(defaults);
	cr_expect(query(name, &committed, &complete) == 0 && committed == 0 && !complete);
	w = fx_write();
	cr_expect(fx_send(w, name, 0, (struct rx_view){ v.p, 1000000 }, false));
	for (int i = 0; i < 500 && before < 1000000; i++) {
		cr_expect(query(name, &committed, &complete) == 0 && !complete);
		cr_expect(committed >= before, "REAPI rule 96");
		before = committed;
		clock_sleep_ms(5);
	}
	cr_expect(before == 1000000);
	cr_expect(query(other, &committed, &complete) == 0 && committed == 0, "by its name");
	cr_expect(fx_send(w, NULL, 1000000, (struct rx_view){ v.p + 1000000, 1000000 }, true));
	cr_expect(fx_write_end(w, &at_end) == 0);
	cr_expect(query(name, &committed, &complete) == 0 && committed == 2000000 && complete);
	cr_expect(query(other, &committed, &complete) == 0 && complete);
	cr_expect(query("uploads/u/blobs/abc/1", &committed, &complete) == RPC_INVALID_ARGUMENT);
}

Test(server, rule_94_98_broken_upload_goes_on)
{
	struct rx_view v = fx_bytes(11, 3000000), got;
	struct digest d = fx_digest(v);
	const char *name = fx_resource("", "u1", &d);
	struct rx_view first = { v.p, 1000000 }, rest = { v.p + 1000000, 2000000 };
	int64_t committed = 0, at_end;
	struct call_writer *w;
	bool complete;

	fx_start(defaults);
	for (int i = 0; i < 2; i++) {
		w = fx_write();
		cr_expect(fx_send(w, name, 0, first, false));
		if (i)
			call_write_free(w); /* cut off */
		else
			cr_expect(fx_write_end(w, &at_end) == RPC_INVALID_ARGUMENT);
		for (int k = 0; k < 200 && committed < 1000000; k++) {
			clock_sleep_ms(5);
			cr_assert(query(name, &committed, &complete) == 0 && !complete);
		}
		cr_expect(committed == 1000000);
		/* a wrong place changes nothing */
		w = fx_write();
		(void)fx_send(w, name, 999999, rest, true);
		cr_expect(fx_write_end(w, &at_end) == RPC_INVALID_ARGUMENT);
		/* neither does another name */
		w = fx_write();
		(void)fx_send(w, fx_resource("", "u2", &d), 1000000, rest, true);
		cr_expect(fx_write_end(w, &at_end) == RPC_INVALID_ARGUMENT);
		if (!i) { /* a new start is fine, too */
			w = fx_write();
			cr_expect(fx_send(w, name, 0, first, false));
			cr_expect(fx_write_end(w, &at_end) == RPC_INVALID_ARGUMENT);
		}
	}
	/* The cut may be noticed a little later. */
	for (int k = 0; k < 200 && fx_missing(&d, 1); k++) {
		w = fx_write();
		(void)fx_send(w, name, 1000000, rest, true);
		if (fx_write_end(w, &at_end) == 0)
			cr_expect(at_end == 3000000);
		clock_sleep_ms(5);
	}
	cr_expect(fx_download(fx_resource("", NULL, &d), 0, 0, &got) == 0);
	cr_expect(rx_view_eq(got, v));
}

struct uploader {
	struct rx_view v;
	const char *name;
	int code;
	int64_t committed;
};

static void *upload(void *arg)
{
	struct uploader *u = arg;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status status = { 0 };
	struct rx_view reply;
	struct call_writer *w = fx_write();
	size_t at = 0;

	while (at < u->v.n &&
	       fx_send(w, at ? NULL : u->name, (int64_t)at,
		       (struct rx_view){ u->v.p + at, 1 << 19 }, at + (1 << 19) == u->v.n))
		at += 1 << 19;
	if (call_write_end(w, &a, &reply, &status, &err) &&
	    !wire_write_response_unpack(reply, &u->committed, &err))
		u->code = -1;
	else
		u->code = status.code;
	call_write_free(w);
	rx_err_release(&err);
	arena_release(&a);
	return NULL;
}

Test(server, rule_99_concurrent_uploads_of_one_blob)
{
	struct rx_view v = fx_bytes(6, 8 << 20), got;
	struct digest d = fx_digest(v);
	struct uploader u[6];
	pthread_t t[6];

	fx_start(defaults);
	for (unsigned i = 0; i < 6; i++) {
		char uuid[37];

		uuid_v4(uuid);
		/* two of them even share a name (REAPI rule 83) */
		u[i] = (struct uploader){ .v = v,
					  .name = fx_resource("", i < 2 ? "same" : uuid, &d) };
	}
	for (unsigned i = 0; i < 6; i++)
		cr_assert(pthread_create(&t[i], NULL, upload, &u[i]) == 0);
	for (unsigned i = 0; i < 6; i++) {
		pthread_join(t[i], NULL);
		cr_expect(u[i].code == 0 && u[i].committed == d.size, "%u: %d", i, u[i].code);
	}
	cr_expect(fx_download(fx_resource("", NULL, &d), 0, 0, &got) == 0);
	cr_expect(rx_view_eq(got, v));
}

/* --- GetTree --- */

static struct digest put_directory(struct directory *dir)
{
	struct rx_buf b = { .max = RX_BUF_NO_MAX };
	struct digest d;

	wire_directory_pack(dir, &b);
	d = fx_put(arena_view(&fx_arena, rx_view_of(&b)));
	rx_buf_release(&b);
	return d;
}

/* root -> d000..dNNN, each -> "shared" */
static struct digest put_tree(size_t n, struct digest *one_child)
{
	struct file_node file = { .name = "f", .digest = fx_put(hello) };
	struct directory shared = { .files = &file, .n_files = 1 };
	struct directory_node down = { .name = "s", .digest = put_directory(&shared) };
	struct directory_node *nodes = ARENA_ARRAY(&fx_arena, struct directory_node, n);
	struct directory root = { .dirs = nodes, .n_dirs = n };

	for (size_t i = 0; i < n; i++) {
		const char *name = arena_printf(&fx_arena, "d%03zu", i);
		struct symlink_node link = { .name = "l", .target = name };
		struct directory child = {
			.dirs = &down, .n_dirs = 1, .links = &link, .n_links = 1
		};

		nodes[i].name = name;
		nodes[i].digest = put_directory(&child);
	}
	*one_child = nodes[n / 2].digest;
	return put_directory(&root);
}

static int get_tree(const struct digest *root, int32_t size, const char *token,
		    struct wire_tree_page *pages)
{
	const struct wire_get_tree m = { .root = *root, .page_size = size, .page_token = token };
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	int code;

	wire_get_tree_pack(&m, &req);
	code = fx_read(WIRE_CAS "GetTree", &req);
	for (size_t i = 0; i < fx_n_messages; i++)
		cr_assert(wire_tree_page_unpack(&fx_arena, fx_messages[i], &pages[i], &err));
	return code;
}

Test(server, rule_155_156_get_tree)
{
	static struct wire_tree_page pages[100], again[100];
	struct digest root, child, absent = fx_digest(RX_VIEW("no")), d;
	size_t total = 0, n;
	char *path;

	fx_start(defaults);
	root = put_tree(50, &child);
	cr_assert(get_tree(&root, 10, "", pages) == 0, "%s", fx_status.message);
	n = fx_n_messages;
	cr_expect(n == 6);
	for (size_t i = 0; i < n; i++) {
		cr_expect(pages[i].n <= 10);
		cr_expect((pages[i].next_page_token[0] == '\0') == (i + 1 == n));
		total += pages[i].n;
	}
	cr_expect(total == 52, "root, 50 and the shared one once: %zu", total);
	d = fx_digest(pages[0].directories[0]);
	cr_expect(digest_eq(&d, &root), "the root comes first");
	/* from a token on */
	cr_assert(get_tree(&root, 10, pages[2].next_page_token, again) == 0);
	cr_expect(fx_n_messages == 3);
	cr_expect(rx_view_eq(again[0].directories[0], pages[3].directories[0]));
	/* tokens of other trees, and what never was one */
	cr_expect(get_tree(&child, 10, pages[2].next_page_token, again) == RPC_INVALID_ARGUMENT);
	cr_expect(get_tree(&root, 10, "junk", again) == RPC_INVALID_ARGUMENT);
	cr_expect(get_tree(&root, -1, "", again) == RPC_INVALID_ARGUMENT);
	cr_expect(get_tree(&absent, 0, "", again) == RPC_NOT_FOUND);
	/* missing parts are left out */
	path = stored(&child);
	cr_assert(unlink(path) == 0);
	free(path);
	cr_expect(get_tree(&root, 0, "", again) == 0 && fx_n_messages == 1);
	cr_expect(again[0].n == 51);
}

Test(server, get_tree_of_the_empty_directory)
{
	struct wire_tree_page page;
	struct digest empty;

	fx_start(defaults);
	digest_empty(DIGEST_SHA256, &empty);
	cr_expect(get_tree(&empty, 0, "", &page) == 0 && fx_n_messages == 1);
	cr_expect(page.n == 1 && page.directories[0].n == 0);
}

/* --- ActionCache --- */

static int update(const char *instance, const struct digest *action, const struct result *r)
{
	const struct wire_update_result m = { .instance = instance,
					      .action = *action,
					      .result = *r };
	struct rx_buf req = { .max = RX_BUF_NO_MAX };

	wire_update_result_pack(&m, WIRE_LINKS_NEW, &req);
	return fx_unary(WIRE_AC "UpdateActionResult", &req, NULL);
}

static int get(struct wire_get_result m, struct result *out)
{
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	struct rx_view reply;

	wire_get_result_pack(&m, &req);
	if (fx_unary(WIRE_AC "GetActionResult", &req, &reply))
		return fx_status.code;
	cr_assert(wire_result_unpack(&fx_arena, reply, DIGEST_SHA256, out, &err), "%s",
		  rx_err_text(&err));
	return 0;
}

Test(server, rule_102_104_results)
{
	struct digest action = fx_digest(RX_VIEW("action"));
	struct result_output out = { .path = "bin/a", .kind = NODE_FILE, .is_executable = true };
	struct result r = { .outputs = &out, .n_outputs = 1 }, got;
	struct wire_status status;
	struct rx_err err = { 0 };

	fx_start(defaults);
	out.digest = fx_digest(hello);
	r.stdout_digest = fx_digest(RX_VIEW("said"));
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == RPC_NOT_FOUND);
	cr_expect(update("", &action, &r) == RPC_FAILED_PRECONDITION, "outputs first");
	cr_assert(wire_status_unpack(&fx_arena, fx_status.details, &status, &err));
	cr_expect(status.all_missing && status.n_violations == 2);
	fx_put(hello);
	fx_put(RX_VIEW("said"));
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0);
	cr_expect(got.n_outputs == 1 && digest_eq(&got.outputs[0].digest, &out.digest));
	cr_expect(got.outputs[0].is_executable);
	cr_expect(get((struct wire_get_result){ .action = action, .instance = "other" }, &got) ==
			  RPC_NOT_FOUND,
		  "instances are apart");
	cr_expect(update("other", &action, &r) == 0);
	cr_expect(get((struct wire_get_result){ .action = action, .instance = "other" }, &got) ==
		  0);
	fx_stop();
	fx_start(defaults);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0, "it is on disk");
}

Test(server, rule_103_no_hit_without_all_outputs)
{
	struct digest action = fx_digest(RX_VIEW("action")), child, root, tree;
	struct result_output out = { .path = "dir", .kind = NODE_DIRECTORY };
	struct result r = { .outputs = &out, .n_outputs = 1 }, got;
	struct digest file = fx_digest(hello);
	struct rx_buf b = { .max = RX_BUF_NO_MAX };
	struct wire_tree_page page;
	struct wire_tree t = { .has_root = true };
	char *path;

	fx_start(defaults);
	root = put_tree(3, &child);
	cr_assert(get_tree(&root, 0, "", &page) == 0);
	t.root = page.directories[0];
	t.children = page.directories + 1;
	t.n_children = page.n - 1;
	wire_tree_pack(&t, &b);
	tree = fx_put(arena_view(&fx_arena, rx_view_of(&b)));
	rx_buf_release(&b);

	out.tree_digest = tree;
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0);
	/* a file below the directory */
	path = stored(&file);
	cr_assert(unlink(path) == 0);
	free(path);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == RPC_NOT_FOUND);
	fx_put(hello);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0);
	/* by its root Directory: the directories themselves are needed, too */
	out.tree_digest = (struct digest){ 0 };
	out.digest = root;
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	path = stored(&child);
	cr_assert(unlink(path) == 0);
	free(path);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == RPC_NOT_FOUND);
}

Test(server, rule_109_inlining_is_honoured_up_to_a_limit)
{
	struct digest action = fx_digest(RX_VIEW("action"));
	struct rx_view big;
	struct result_output out[2] = { { .path = "a", .kind = NODE_FILE },
					{ .path = "b", .kind = NODE_FILE } };
	struct result r = { .outputs = out, .n_outputs = 2 }, got;
	const char *files[] = { "a", "b", "c" };

	fx_start(defaults);
	big = fx_bytes(3, LIMIT_INLINE_BYTES + 1);
	out[0].digest = fx_put(hello);
	out[1].digest = fx_put(big);
	r.stdout_digest = fx_put(RX_VIEW("out"));
	r.stderr_digest = fx_put(RX_VIEW("err"));
	cr_assert(update("", &action, &r) == 0);
	cr_assert(get((struct wire_get_result){ .action = action }, &got) == 0);
	cr_expect(!got.stdout_raw.n && !got.stderr_raw.n);
	cr_assert(get((struct wire_get_result){ .action = action,
						.inline_stdout = true,
						.inline_stderr = true,
						.inline_files = files,
						.n_inline_files = 3 },
		      &got) == 0);
	cr_expect(rx_view_eq_str(got.stdout_raw, "out"));
	cr_expect(rx_view_eq_str(got.stderr_raw, "err"));
	cr_expect(rx_view_eq(result_find(&got, "a")->contents, hello));
	cr_expect(result_find(&got, "b")->contents.n == 0, "too large");
}

Test(server, rule_142_inlined_parts_are_checked_and_stored)
{
	struct digest action = fx_digest(RX_VIEW("action"));
	struct result_output out = { .path = "a", .kind = NODE_FILE, .contents = hello };
	struct result r = { .outputs = &out, .n_outputs = 1, .stdout_raw = RX_VIEW("said") };

	fx_start(defaults);
	out.digest = fx_digest(RX_VIEW("hello, moons"));
	cr_expect(update("", &action, &r) == RPC_INVALID_ARGUMENT);
	out.digest = fx_digest(hello);
	r.stdout_digest = fx_digest(RX_VIEW("said"));
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	cr_expect(fx_missing(&out.digest, 1) == 0);
	cr_expect(fx_missing(&r.stdout_digest, 1) == 0);
}

Test(server, result_paths_are_checked)
{
	static const char *const bad[] = { "/abs", "../up", "a/../../b", "a//b", "" };
	struct digest action = fx_digest(RX_VIEW("action"));

	fx_start(defaults);
	fx_put(hello);
	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		struct result_output out = { .path = bad[i],
					     .kind = NODE_FILE,
					     .digest = fx_digest(hello) };
		struct result r = { .outputs = &out, .n_outputs = 1 };

		cr_expect(update("", &action, &r) == RPC_INVALID_ARGUMENT, "'%s'", bad[i]);
	}
}

/* --- idle --- */

static volatile bool was_idle;
static void note_idle(void *ctx)
{
	(void)ctx;
	was_idle = true;
}

Test(server, idle_after_the_last_call)
{
	struct server_options o = { .idle_ms = 300, .on_idle = note_idle };
	int64_t start;

	fx_start(o);
	start = clock_mono_ns();
	while (clock_mono_ns() - start < 900000000) {
		fx_put(hello);
		cr_expect(!was_idle, "calls keep it awake");
		clock_sleep_ms(50);
	}
	for (int i = 0; i < 100 && !was_idle; i++)
		clock_sleep_ms(20);
	cr_expect(was_idle);
}
