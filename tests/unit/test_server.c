/* test_server: capabilities and blobs of the server over a socket, rule by rule. */
#include "server_fixture.h"

TestSuite(server, .init = fx_setup, .fini = fx_teardown, .timeout = 60);

static const struct server_options defaults;
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

/* The hash and size of "hello" beside more or fewer bytes than that; in the message the two sizes
 * are apart. */
Test(server, rule_7_93_size_and_data_are_compared)
{
	static const char *const data[] = { "hell", "hello!" };
	struct rx_view real = RX_VIEW("hello");
	struct digest d = fx_digest(real);
	char hex[129];

	fx_start(defaults);
	digest_hex(&d, hex);
	for (size_t i = 0; i < RX_COUNT(data); i++) {
		struct wire_blob_statuses statuses;
		struct rx_err err = { 0 };
		struct rx_buf req = { 0 };
		struct rx_view reply;
		size_t n = strlen(data[i]);

		/* requests { digest { hash, size_bytes: 5 } data } */
		rx_buf_addf(&req, "\x12%c\x0a\x44\x0a\x40%s\x10\x05\x12%c%s", (int)(72 + n), hex,
			    (int)n, data[i]);
		cr_assert(fx_unary(WIRE_CAS "BatchUpdateBlobs", &req, &reply) == 0, "%s",
			  fx_status.message);
		cr_assert(
			wire_update_reply_unpack(&fx_arena, reply, DIGEST_SHA256, &statuses, &err));
		cr_assert(statuses.n == 1);
		cr_expect(statuses.v[0].code == RPC_INVALID_ARGUMENT);
		cr_expect(fx_missing(&d, 1) == 1);
	}
}

/* No compressor is announced, so none is taken: the bytes are not mistaken for the blob. */
Test(server, rule_49_64_compressed_entries_are_refused)
{
	struct rx_view real = RX_VIEW("hello");
	struct digest d = fx_digest(real);
	struct wire_blob_statuses statuses;
	struct wire_capabilities caps;
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	struct rx_view reply;
	char hex[129];

	fx_start(defaults);
	caps = capabilities();
	for (size_t i = 0; i < caps.n_compressors; i++)
		cr_expect(caps.compressors[i] == COMPRESSOR_IDENTITY);
	for (size_t i = 0; i < caps.n_batch_compressors; i++)
		cr_expect(caps.batch_compressors[i] == COMPRESSOR_IDENTITY);
	digest_hex(&d, hex);
	/* requests { digest data compressor: ZSTD } */
	rx_buf_addf(&req, "\x12\x4f\x0a\x44\x0a\x40%s\x10\x05\x12\x05hello\x18\x01", hex);
	cr_assert(fx_unary(WIRE_CAS "BatchUpdateBlobs", &req, &reply) == 0, "%s",
		  fx_status.message);
	cr_assert(wire_update_reply_unpack(&fx_arena, reply, DIGEST_SHA256, &statuses, &err));
	cr_assert(statuses.n == 1);
	cr_expect(statuses.v[0].code == RPC_INVALID_ARGUMENT);
	cr_expect(fx_missing(&d, 1) == 1);
	/* identity always works */
	fx_put(real);
	cr_expect(fx_missing(&d, 1) == 0);
}

Test(server, rule_54_split_and_splice_are_neither_announced_nor_there)
{
	struct wire_capabilities caps;
	struct rx_buf req = { 0 };

	fx_start(defaults);
	caps = capabilities();
	cr_expect(!caps.split && !caps.splice);
	cr_expect(fx_unary(WIRE_CAS "SplitBlob", &req, NULL) == RPC_UNIMPLEMENTED);
	cr_expect(fx_unary(WIRE_CAS "SpliceBlob", &req, NULL) == RPC_UNIMPLEMENTED);
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
	struct digest d;
	int code = 0;

	fx_start(o);
	/* The limit holds from when the store has listed itself, which it does beside its work. */
	for (unsigned i = 0; i < 500 && code == 0; i++) {
		struct rx_view data = fx_bytes(i, 400000);

		d = fx_digest(data);
		cr_assert(fx_update("", &d, &data, 1, &code) == 0);
		cr_expect(i >= 2 || code == 0);
		clock_sleep_ms(i < 2 ? 0 : 20);
	}
	cr_expect(code == RPC_RESOURCE_EXHAUSTED, "REAPI rule 63: %d", code);
}

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
