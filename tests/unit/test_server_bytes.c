/* test_server_bytes: ByteStream of the server over a socket, rule by rule. */
#include "server_fixture.h"

#include <pthread.h>

#include "utf8.h"

TestSuite(server_bytes, .init = fx_setup, .fini = fx_teardown, .timeout = 60);

static const struct server_options defaults;

/* --- ByteStream.Read --- */

Test(server_bytes, rule_70_74_download)
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

Test(server_bytes, rule_71_72_offsets_and_limits)
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

Test(server_bytes, rule_32_75_absent_and_empty_download)
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

Test(server_bytes, bad_download_names)
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

Test(server_bytes, rule_76_damaged_blobs_are_not_served)
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

Test(server_bytes, rule_82_84_85_upload)
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

Test(server_bytes, rule_86_finish_alone_and_empty_blob)
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

Test(server_bytes, rule_87_91_existing_blob_returns_early)
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

Test(server_bytes, rule_82_92_bad_uploads)
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

Test(server_bytes, rule_49_compressed_uploads_are_refused)
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

Test(server_bytes, rule_94_96_query_write_status)
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

Test(server_bytes, rule_94_98_broken_upload_goes_on)
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

Test(server_bytes, rule_99_concurrent_uploads_of_one_blob)
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
