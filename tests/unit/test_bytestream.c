/* test_bytestream: REAPI rules 70-101 against servers that break, lie and refuse. */
#include <criterion/criterion.h>

#include "bytestream.h"
#include "lying_fixture.h"

static struct fixture f;

static void start(void)
{
	fixture_start(&f);
}

static void stop(void)
{
	fixture_stop(&f);
}

TestSuite(bytestream, .init = start, .fini = stop, .timeout = 60);

#define SIZE ((5 << 20) + 17)

static bool write_blob(size_t n, struct digest *d_out, struct rx_err *err)
{
	struct digest d;
	char *p = fixture_bytes(n, 7, &d);
	bool ok = bytestream_write(fixture_client(&f), &d,
				   &(struct bytestream_input){ .bytes = { p, n }, .fd = -1 }, err);

	free(p);
	if (d_out)
		*d_out = d;
	return ok;
}

static void write_good(size_t n)
{
	struct rx_err err = { 0 };
	struct digest d;

	cr_assert(write_blob(n, &d, &err), "%s", rx_err_text(&err));
	cr_expect(lying_has(f.server, &d));
}

static void write_bad(size_t n, int code, const char *text)
{
	struct rx_err err = { 0 };

	cr_assert_not(write_blob(n, NULL, &err));
	cr_expect_eq(err.grpc_status, code, "%s", rx_err_text(&err));
	cr_expect(strstr(rx_err_text(&err), text), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

Test(bytestream, rule_84_85_writes_in_chunks)
{
	write_good(SIZE);
	cr_expect_eq(lying_calls(f.server, "Write"), 1);
	cr_expect_eq(lying_written(f.server), SIZE);
}

Test(bytestream, rule_101_messages_hold_at_most_1_mib_of_data)
{
	write_good(5 << 20);
	cr_expect_geq(lying_largest(f.server, "Write"), 1 << 20, "one is full");
	cr_expect_leq(lying_largest(f.server, "Write"), (1 << 20) + 1024);
}

Test(bytestream, one_byte_and_exact_chunks)
{
	write_good(1);
	write_good(BYTESTREAM_CHUNK);
	write_good(2 * BYTESTREAM_CHUNK);
	cr_expect_eq(lying_calls(f.server, "Write"), 3);
}

Test(bytestream, rule_87_early_return_is_success)
{
	struct rx_err err = { 0 };

	lying_tell(f.server, "early-return", -1, 0);
	cr_assert(write_blob(SIZE, NULL, &err), "%s", rx_err_text(&err));
	cr_expect_eq(lying_calls(f.server, "Write"), 1);
}

Test(bytestream, rule_88_early_return_of_minus_1_is_success)
{
	struct rx_err err = { 0 };

	lying_tell(f.server, "early-return--1", -1, 0);
	cr_assert(write_blob(SIZE, NULL, &err), "%s", rx_err_text(&err));
	cr_expect_eq(lying_calls(f.server, "Write"), 1);
}

Test(bytestream, rule_90_a_wrong_committed_size_is_tried_again)
{
	lying_tell(f.server, "committed-size-wrong", 1, 0);
	write_good(SIZE);
	cr_expect_eq(lying_calls(f.server, "Write"), 2);
}

Test(bytestream, rule_90_a_committed_size_that_stays_wrong_is_an_error)
{
	f.settings.retries = 1;
	lying_tell(f.server, "committed-size-wrong", -1, 0);
	write_bad(1000, RPC_UNKNOWN, "committed 500 of 1000 bytes (after 2 tries");
}

Test(bytestream, rule_94_goes_on_where_the_server_stopped)
{
	lying_tell(f.server, "break-upload-after", 1, 3 << 20);
	write_good(SIZE);
	cr_expect_eq(lying_calls(f.server, "QueryWriteStatus"), 1);
	cr_expect_eq(lying_calls(f.server, "Write"), 2);
	cr_expect_eq(lying_written(f.server), SIZE, "nothing was sent twice");
}

Test(bytestream, rule_95_without_query_the_upload_starts_again)
{
	lying_tell(f.server, "break-upload-after", 1, 3 << 20);
	lying_tell(f.server, "no-query-write-status", -1, 0);
	write_good(SIZE);
	cr_expect_eq(lying_calls(f.server, "Write"), 2);
	cr_expect(lying_written(f.server) > SIZE);
}

Test(bytestream, rule_98_a_refused_resumption_starts_again_once)
{
	lying_tell(f.server, "break-upload-after", 1, 3 << 20);
	lying_tell(f.server, "resume-refused", -1, 0);
	write_good(SIZE);
	cr_expect_eq(lying_calls(f.server, "Write"), 3);
}

Test(bytestream, rule_92_wrong_data_is_final)
{
	struct rx_err err = { 0 };
	struct digest d;
	char *p = fixture_bytes(1000, 7, &d);

	p[3] ^= 1;
	cr_assert_not(bytestream_write(fixture_client(&f), &d,
				       &(struct bytestream_input){ .bytes = { p, 1000 }, .fd = -1 },
				       &err));
	cr_expect_eq(err.grpc_status, RPC_INVALID_ARGUMENT);
	cr_expect_eq(lying_calls(f.server, "Write"), 1);
	rx_err_release(&err);
	free(p);
}

Test(bytestream, disk_full_ends_after_the_tries)
{
	f.settings.retries = 1;
	lying_tell(f.server, "disk-full", -1, 0);
	write_bad(SIZE, RPC_RESOURCE_EXHAUSTED,
		  "Write: RESOURCE_EXHAUSTED: disk full (after 2 tries");
}

Test(bytestream, a_file_that_shrank_is_an_error)
{
	char name[] = "/tmp/rx-test-XXXXXX";
	int fd = mkstemp(name);
	struct rx_err err = { 0 };
	struct digest d;
	char *p = fixture_bytes(2 << 20, 7, &d);

	cr_assert_eq(write(fd, p, 1000), 1000);
	cr_assert_not(bytestream_write(fixture_client(&f), &d,
				       &(struct bytestream_input){ .fd = fd }, &err));
	cr_expect(strstr(rx_err_text(&err), "changed while it was uploaded"));
	rx_err_release(&err);
	unlink(name);
	close(fd);
	free(p);
}

struct taken {
	struct rx_buf bytes;
	int64_t stop_after;
};

static bool take(void *ctx, struct rx_view v, struct rx_err *err)
{
	struct taken *t = ctx;

	rx_buf_add(&t->bytes, v.p, v.n);
	if (t->stop_after && (int64_t)t->bytes.n > t->stop_after)
		return rx_fail(err, RX_EIO, "no room");
	return true;
}

static char *on_server(size_t n, struct digest *d)
{
	char *p = fixture_bytes(n, 9, d);

	lying_put(f.server, d, (struct rx_view){ p, n });
	return p;
}

static void read_good(size_t n)
{
	struct taken t = { .bytes.max = RX_BUF_NO_MAX };
	struct rx_err err = { 0 };
	struct digest d;
	char *p = on_server(n, &d);
	bool missing = true;

	cr_assert(bytestream_read(fixture_client(&f), &d, take, &t, &missing, &err), "%s",
		  rx_err_text(&err));
	cr_expect_not(missing);
	cr_assert_eq(t.bytes.n, n);
	cr_expect_arr_eq(t.bytes.p, p, n);
	rx_buf_release(&t.bytes);
	free(p);
}

static void read_bad(size_t n, enum rx_code code, const char *text)
{
	struct taken t = { .bytes.max = RX_BUF_NO_MAX };
	struct rx_err err = { 0 };
	struct digest d;
	char *p = on_server(n, &d);
	bool missing;

	cr_assert_not(bytestream_read(fixture_client(&f), &d, take, &t, &missing, &err));
	cr_expect_eq(err.code, code);
	cr_expect(strstr(rx_err_text(&err), text), "%s", rx_err_text(&err));
	cr_expect(t.bytes.n <= n);
	rx_err_release(&err);
	rx_buf_release(&t.bytes);
	free(p);
}

Test(bytestream, reads)
{
	read_good(SIZE);
	read_good(1);
}

Test(bytestream, rule_75_missing_is_a_result)
{
	struct taken t = { 0 };
	struct rx_err err = { 0 };
	struct digest d;
	char *p = fixture_bytes(100, 9, &d);
	bool missing = false;

	cr_assert(bytestream_read(fixture_client(&f), &d, take, &t, &missing, &err));
	cr_expect(missing);
	free(p);
}

Test(bytestream, rule_73_empty_messages_are_no_end)
{
	lying_tell(f.server, "empty-messages", -1, 50);
	read_good(SIZE);
}

Test(bytestream, rule_77_resumes_where_it_broke)
{
	lying_tell(f.server, "break-read-after", 2, 1 << 20);
	read_good(SIZE);
	cr_expect_eq(lying_calls(f.server, "Read"), 3);
	cr_expect_eq(lying_sent(f.server), SIZE, "nothing came twice");
}

Test(bytestream, rule_74_a_short_stream_is_a_break)
{
	lying_tell(f.server, "truncated-stream", 1, 1 << 20);
	read_good(SIZE);
	cr_expect_eq(lying_calls(f.server, "Read"), 2);
}

Test(bytestream, rule_74_streams_that_stay_short_are_an_error)
{
	f.settings.retries = 2;
	lying_tell(f.server, "truncated-stream", -1, 0);
	read_bad(1000, RX_ERPC, "the stream ended after 0 of 1000 bytes (after 3 tries");
}

Test(bytestream, a_server_that_cannot_resume_is_read_from_the_start)
{
	lying_tell(f.server, "break-read-after", 1, 1 << 20);
	lying_tell(f.server, "read-offset-refused", -1, 0);
	read_good(SIZE);
}

Test(bytestream, rule_76_wrong_content)
{
	lying_tell(f.server, "wrong-digest", -1, 0);
	read_bad(1000, RX_EDIGEST, "what came is not blob ");
}

Test(bytestream, rule_81_more_bytes_than_the_blob_has)
{
	lying_tell(f.server, "endless-messages", -1, 0);
	read_bad(1000, RX_EDIGEST, "more bytes than blob ");
	cr_expect_eq(lying_calls(f.server, "Read"), 1);
}

Test(bytestream, a_consumer_that_fails_ends_it)
{
	struct taken t = { .bytes.max = RX_BUF_NO_MAX, .stop_after = 1000 };
	struct rx_err err = { 0 };
	struct digest d;
	char *p = on_server(SIZE, &d);
	bool missing;

	cr_assert_not(bytestream_read(fixture_client(&f), &d, take, &t, &missing, &err));
	cr_expect_str_eq(rx_err_text(&err), "no room");
	cr_expect_eq(lying_calls(f.server, "Read"), 1);
	rx_err_release(&err);
	rx_buf_release(&t.bytes);
	free(p);
}
