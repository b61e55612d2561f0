/* test_call: the client side of calls against a listener of ours. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "clock.h"
#include "log.h"
#include "rpc_fixture.h"

#define T(name) ("/t.T/" name)

static struct rpc_body body(const char *s)
{
	return rpc_body_copy(rx_view_str(s));
}

static struct rpc_body empty(void)
{
	return (struct rpc_body){ .n = 0 };
}

/* --- unary --- */

Test(call, unary_answer_comes_back)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view reply;

	fixture_open(&f, NULL);
	cr_assert(call_unary(f.channel, T("Echo"), body("hello"), NULL, &a, &reply, &st, &err),
		  "%s", rx_err_text(&err));
	cr_assert(rx_view_eq_str(reply, "hello"));
	cr_assert_eq(st.code, RPC_OK);
	cr_assert_str_eq(st.message, "");
	cr_assert_eq(st.details.n, 0);
	cr_assert(call_unary(f.channel, T("Echo"), empty(), NULL, &a, &reply, NULL, &err));
	cr_assert_eq(reply.n, 0);
	fixture_close(&f);
	cr_assert_eq(f.closed, 2);
	arena_release(&a);
}

Test(call, unary_failure_carries_code_text_and_details)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view reply = RX_VIEW("untouched");

	fixture_open(&f, NULL);
	cr_assert(!call_unary(f.channel, T("Fail"), body("9 blob is missing"), NULL, &a, &reply,
			      &st, &err));
	cr_assert_eq(st.code, RPC_FAILED_PRECONDITION);
	cr_assert_str_eq(st.message, "blob is missing");
	cr_assert(rx_view_eq_str(st.details, "DETAILS"));
	cr_assert_eq(err.code, RX_ERPC);
	cr_assert_eq(err.grpc_status, RPC_FAILED_PRECONDITION);
	cr_assert_str_eq(rx_err_text(&err), "Fail: FAILED_PRECONDITION: blob is missing");
	cr_assert(rx_view_eq_str(reply, "untouched"));
	rx_err_release(&err);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, status_text_of_a_peer_is_made_printable)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	cr_assert(!call_unary(f.channel, T("Fail"), body("3 a\033[31mb\nc"), NULL, &a, &reply, NULL,
			      &err));
	cr_assert_null(strchr(rx_err_text(&err), '\033'));
	cr_assert_null(strchr(rx_err_text(&err), '\n'));
	rx_err_release(&err);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, unary_ends_at_its_deadline)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	struct call_options o = { .timeout_ms = 150 };

	fixture_open(&f, NULL);
	int64_t start = clock_mono_ns();

	cr_assert(!call_unary(f.channel, T("Never"), body("x"), &o, &a, &reply, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_DEADLINE_EXCEEDED);
	cr_assert_geq(clock_mono_ns() - start, 140 * 1000000);
	cr_assert_lt(clock_mono_ns() - start, 3000000000);
	rx_err_release(&err);
	cr_assert(fixture_wait(&f.closed, 1));
	cr_assert_eq(f.cancelled, 1);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, no_server_fails_fast_with_the_cause)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view reply;
	atomic_int released = 0;

	fixture_open(&f, NULL);
	struct channel *dead =
		fixture_channel(&f, &(struct channel_options){ .target = "127.0.0.1:1" });

	cr_assert(!call_unary(dead, T("Echo"), fixture_body(1000, &released), NULL, &a, &reply, &st,
			      &err));
	cr_assert_eq(st.code, RPC_UNAVAILABLE);
	cr_assert_str_eq(rx_err_text(&err),
			 "Echo: UNAVAILABLE: cannot connect: Connection refused");
	rx_err_release(&err);
	channel_free(dead);
	fixture_close(&f);
	cr_assert_eq(released, 1);
	arena_release(&a);
}

Test(call, no_unix_server_names_the_cause)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	struct channel *dead = fixture_channel(
		&f, &(struct channel_options){ .target = "unix:/nonexistent/%20 #?/s" });

	cr_assert(!call_unary(dead, T("Echo"), body("x"), NULL, &a, &reply, NULL, &err));
	cr_assert_str_eq(rx_err_text(&err),
			 "Echo: UNAVAILABLE: cannot connect: No such file or directory");
	rx_err_release(&err);
	channel_free(dead);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, unknown_host_names_the_resolver)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	struct channel *dead = fixture_channel(
		&f, &(struct channel_options){ .target = "no-such-host.invalid:443" });

	cr_assert(!call_unary(dead, T("Echo"), body("x"),
			      &(struct call_options){ .timeout_ms = 8000 }, &a, &reply, NULL,
			      &err));
	cr_assert_eq(err.code, RX_ERPC);
	if (err.grpc_status == RPC_UNAVAILABLE) { /* a resolver that only times out says DEADLINE */
		cr_assert_not_null(strstr(rx_err_text(&err), "no-such-host.invalid"), "%s",
				   rx_err_text(&err));
		cr_assert_not_null(strstr(rx_err_text(&err), "GRPC_DNS_RESOLVER=native"));
	}
	rx_err_release(&err);
	channel_free(dead);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, loopback_never_goes_through_a_proxy)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("grpc_proxy", "http://127.0.0.1:1", 1);
	fixture_open(&f, &(struct listen_options){ .address = "127.0.0.1:0" });
	cr_assert(call_unary(f.channel, T("Echo"), body("x"), NULL, &a, &reply, NULL, &err), "%s",
		  rx_err_text(&err));
	fixture_close(&f);
	arena_release(&a);
}

Test(call, the_server_learns_who_calls)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	char *target = xasprintf("unix:%s", f.socket);
	struct channel *c = fixture_channel(&f, &(struct channel_options){ .target = target,
									   .display = "unix://x",
									   .user_agent = "remex/9",
									   .keepalive_ms = 30000 });

	cr_assert_str_eq(channel_display(c), "unix://x");
	cr_assert(call_unary(c, T("Header"), body("user-agent"), NULL, &a, &reply, NULL, &err));
	cr_assert(rx_view_starts(reply, "remex/9 "), "%.*s", (int)reply.n, reply.p);
	channel_free(c);
	channel_free(NULL);
	free(target);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, wait_for_ready_waits_until_the_deadline)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	struct call_options o = { .timeout_ms = 200, .wait_for_ready = true };

	fixture_open(&f, NULL);
	struct channel *dead =
		fixture_channel(&f, &(struct channel_options){ .target = "127.0.0.1:1" });
	int64_t start = clock_mono_ns();

	cr_assert(!call_unary(dead, T("Echo"), body("x"), &o, &a, &reply, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_DEADLINE_EXCEEDED);
	cr_assert_geq(clock_mono_ns() - start, 190 * 1000000);
	rx_err_release(&err);
	channel_free(dead);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, headers_travel_and_binary_ones_raw)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	const char raw[] = { 0, 1, (char)0xff, '\n', 0 };
	struct call_header h[] = { { "x-text", RX_VIEW("some text") },
				   { "x-raw-bin", { raw, sizeof(raw) } } };
	struct call_options o = { .headers = h, .n_headers = 2 };

	fixture_open(&f, NULL);
	cr_assert(call_unary(f.channel, T("Header"), body("x-text"), &o, &a, &reply, NULL, &err));
	cr_assert(rx_view_eq_str(reply, "some text"));
	cr_assert(
		call_unary(f.channel, T("Header"), body("x-raw-bin"), &o, &a, &reply, NULL, &err));
	cr_assert(rx_view_eq(reply, (struct rx_view){ raw, sizeof(raw) }));
	cr_assert(call_unary(f.channel, T("Header"), body("x-absent"), &o, &a, &reply, NULL, &err));
	cr_assert_eq(reply.n, 0);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, illegal_headers_are_refused_with_words)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	atomic_int released = 0;
	struct call_header name = { "X-Upper", RX_VIEW("v") };
	struct call_header value = { "x-v", RX_VIEW("a\nb") };
	struct call_header reserved = { "grpc-status", RX_VIEW("0") };

	fixture_open(&f, NULL);
	cr_assert(!call_unary(f.channel, T("Echo"), fixture_body(10, &released),
			      &(struct call_options){ .headers = &name, .n_headers = 1 }, &a,
			      &reply, NULL, &err));
	cr_assert_str_eq(rx_err_text(&err),
			 "Echo: INVALID_ARGUMENT: the header name 'X-Upper' is not legal");
	rx_err_reset(&err);
	cr_assert(!call_unary(f.channel, T("Echo"), fixture_body(10, &released),
			      &(struct call_options){ .headers = &reserved, .n_headers = 1 }, &a,
			      &reply, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_INVALID_ARGUMENT);
	rx_err_reset(&err);
	struct call_options o = { .headers = &value, .n_headers = 1 };
	struct call_reader *r = call_read(f.channel, T("Count"), fixture_body(10, &released), &o);
	struct rx_view m;

	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_FAILED);
	cr_assert_eq(err.grpc_status, RPC_INVALID_ARGUMENT);
	call_read_cancel(r);
	call_read_free(r);
	rx_err_reset(&err);
	struct call_writer *w = call_write(f.channel, T("Sum"), &o);

	cr_assert(!call_write_send(w, fixture_body(10, &released)));
	cr_assert(!call_write_end(w, &a, &reply, NULL, &err));
	call_write_free(w);
	rx_err_release(&err);
	cr_assert_eq(released, 4);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, body_of_several_pieces_arrives_whole)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	atomic_int released = 0;
	struct rpc_body b = fixture_body(100000, &released);
	struct rpc_body tail = fixture_body(0, &released);

	b.v[b.n++] = (struct rpc_piece){ .p = (void *)"middle", .n = 6 };
	b.v[b.n++] = tail.v[0];
	b.v[b.n++] = (struct rpc_piece){ .p = (void *)"end", .n = 3 };
	cr_assert_eq(rpc_body_size(&b), 100009);
	fixture_open(&f, NULL);
	cr_assert(call_unary(f.channel, T("Echo"), b, NULL, &a, &reply, NULL, &err));
	cr_assert_eq(reply.n, 100009);
	cr_assert_eq(reply.p[99999], 'x');
	cr_assert_eq(memcmp(reply.p + 100000, "middleend", 9), 0);
	fixture_close(&f);
	cr_assert_eq(released, 2);
	arena_release(&a);
}

Test(call, body_helpers_own_what_they_hold)
{
	struct rx_buf buf = { 0 };
	char local[] = "local";

	rx_buf_add_str(&buf, "taken");
	struct rpc_body taken = rpc_body_take(&buf);
	struct rpc_body copied = rpc_body_copy(rx_view_str(local));

	local[0] = 'X';
	cr_assert_null(buf.p);
	cr_assert_eq(memcmp(taken.v[0].p, "taken", 5), 0);
	cr_assert_eq(memcmp(copied.v[0].p, "local", 5), 0);
	rpc_body_release(&taken);
	rpc_body_release(&taken);
	rpc_body_release(&copied);
	rpc_body_release(NULL);
}

/* --- unary, asynchronous --- */

struct tally {
	struct loop *loop;
	atomic_int done, ok, wrong, cancelled, off_loop;
};

static void tally_done(void *ctx, const struct call_reply *r)
{
	struct tally *t = ctx;

	if (!loop_is_current(t->loop))
		t->off_loop++;
	if (r->status.code == RPC_CANCELLED)
		t->cancelled++;
	if (r->status.code == RPC_OK && r->bytes.n == 500)
		t->ok++;
	else
		t->wrong++;
	t->done++;
}

Test(call, two_hundred_at_once)
{
	struct fixture f;
	struct tally t = { 0 };
	atomic_int released = 0;

	fixture_open(&f, NULL);
	t.loop = f.loop;
	for (int i = 0; i < 200; i++)
		call_unary_start(f.channel, T("Echo"), fixture_body(500, &released), NULL,
				 tally_done, &t);
	cr_assert(fixture_wait(&t.done, 200));
	cr_assert_eq(t.ok, 200);
	cr_assert_eq(t.off_loop, 0);
	fixture_close(&f);
	cr_assert_eq(released, 200);
	cr_assert_eq(f.closed, 200);
}

Test(call, bodies_to_a_dead_port_are_released_once)
{
	struct fixture f;
	struct tally t = { 0 };
	atomic_int released = 0;

	fixture_open(&f, NULL);
	t.loop = f.loop;
	struct channel *dead =
		fixture_channel(&f, &(struct channel_options){ .target = "127.0.0.1:1" });

	for (int i = 0; i < 50; i++)
		call_unary_start(dead, T("Echo"), fixture_body(70000, &released), NULL, tally_done,
				 &t);
	cr_assert(fixture_wait(&t.done, 50));
	cr_assert_eq(t.wrong, 50);
	struct call_writer *w = call_write(dead, T("Sum"), NULL);
	int sent = 1;

	while (call_write_send(w, fixture_body(70000, &released)))
		sent++;
	call_write_free(w);
	channel_free(dead);
	fixture_close(&f);
	cr_assert_eq(released, 50 + sent);
}

Test(call, cancel_all_ends_calls_of_every_kind)
{
	struct fixture f;
	struct tally t = { 0 };
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;

	fixture_open(&f, NULL);
	t.loop = f.loop;
	for (int i = 0; i < 10; i++)
		call_unary_start(f.channel, T("Never"), body("x"), NULL, tally_done, &t);
	struct call_reader *r = call_read(f.channel, T("Once"), body("x"), NULL);
	struct call_writer *w = call_write(f.channel, T("Sum"), NULL);

	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_MESSAGE);
	cr_assert(call_write_send(w, body("x")));
	cr_assert(fixture_wait(&f.messages, 11));
	loop_cancel_all(f.loop);
	cr_assert(fixture_wait(&t.done, 10));
	cr_assert_eq(t.cancelled, 10);
	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_FAILED);
	cr_assert_eq(err.grpc_status, RPC_CANCELLED);
	rx_err_reset(&err);
	cr_assert(!call_write_end(w, &a, &m, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_CANCELLED);
	rx_err_release(&err);
	call_read_free(r);
	call_write_free(w);
	cr_assert(fixture_wait(&f.closed, 12));
	fixture_close(&f);
	arena_release(&a);
}

/* A thread that looked before the signal came may start its call after everything was cancelled. */
Test(call, what_starts_after_the_cancelling_ends_at_once)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;
	int64_t start = clock_mono_ns();

	fixture_open(&f, NULL);
	rx_cancel_set();
	loop_cancel_all(f.loop);
	cr_assert_not(call_unary(f.channel, T("Never"), body("x"), NULL, &a, &m, NULL, &err));
	cr_expect_eq(err.grpc_status, RPC_CANCELLED);
	rx_err_reset(&err);
	struct call_reader *r = call_read(f.channel, T("Never"), body("x"), NULL);
	cr_expect_eq(call_read_next(r, &m, &a, NULL, &err), CALL_FAILED);
	cr_expect_eq(err.grpc_status, RPC_CANCELLED);
	rx_err_release(&err);
	call_read_free(r);
	cr_expect_lt(clock_mono_ns() - start, INT64_C(5000000000));
	fixture_close(&f);
	arena_release(&a);
}

Test(call, loop_free_ends_what_still_runs)
{
	struct fixture f;
	struct tally t = { 0 };

	fixture_open(&f, NULL);
	t.loop = f.loop;
	call_unary_start(f.channel, T("Never"), body("x"), NULL, tally_done, &t);
	cr_assert(fixture_wait(&f.messages, 1));
	fixture_close(&f);
	cr_assert_eq(t.done, 1);
}

/* --- readers --- */

static void read_all(struct fixture *f, int n, size_t size)
{
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view m;
	char ask[64];
	int got = 0;

	snprintf(ask, sizeof(ask), "%d %zu", n, size);
	struct call_reader *r = call_read(f->channel, T("Count"), body(ask), NULL);
	enum call_next next;

	while ((next = call_read_next(r, &m, &a, &st, &err)) == CALL_MESSAGE) {
		cr_assert_eq(m.n, size);
		if (size) {
			cr_assert_eq(m.p[0], (char)(n - got));
			cr_assert_eq(m.p[size - 1], (char)(n - got));
		}
		got++;
	}
	cr_assert_eq(next, CALL_ENDED, "%s", rx_err_text(&err));
	cr_assert_eq(st.code, RPC_OK);
	cr_assert_eq(got, n);
	/* asking again says the same again */
	cr_assert_eq(call_read_next(r, &m, &a, &st, &err), CALL_ENDED);
	call_read_free(r);
	arena_release(&a);
}

Test(call, reader_gets_every_message_in_order)
{
	struct fixture f;

	fixture_open(&f, NULL);
	read_all(&f, 0, 0);
	read_all(&f, 1, 10);
	read_all(&f, 5, 0); /* REAPI rule 73: empty messages are not the end */
	read_all(&f, 300, 33);
	read_all(&f, 12, 3000000);
	fixture_close(&f);
	call_read_free(NULL);
}

Test(call, reader_failure_after_messages)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view m;

	fixture_open(&f, NULL);
	struct call_reader *r = call_read(f.channel, T("Fail"), body("5 not here"), NULL);

	cr_assert_eq(call_read_next(r, &m, &a, &st, &err), CALL_FAILED);
	cr_assert_eq(st.code, RPC_NOT_FOUND);
	cr_assert(rx_view_eq_str(st.details, "DETAILS"));
	cr_assert_str_eq(rx_err_text(&err), "Fail: NOT_FOUND: not here");
	rx_err_release(&err);
	call_read_free(r);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, reader_freed_early_cancels)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;

	fixture_open(&f, NULL);
	struct call_reader *r = call_read(f.channel, T("Count"), body("1000 100000"), NULL);

	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_MESSAGE);
	call_read_free(r);
	cr_assert(fixture_wait(&f.closed, 1));
	cr_assert_eq(f.cancelled, 1);
	fixture_close(&f);
	arena_release(&a);
}

static void *cancel_soon(void *arg)
{
	clock_sleep_ms(50);
	call_read_cancel(arg);
	return NULL;
}

Test(call, reader_cancelled_from_another_thread)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;
	pthread_t t;

	fixture_open(&f, NULL);
	struct call_reader *r = call_read(f.channel, T("Once"), body("x"), NULL);

	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_MESSAGE);
	pthread_create(&t, NULL, cancel_soon, r);
	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_FAILED);
	cr_assert_eq(err.grpc_status, RPC_CANCELLED);
	pthread_join(t, NULL);
	rx_err_release(&err);
	call_read_free(r);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, silent_stream_ends_by_itself)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view m;
	struct call_options o = { .timeout_ms = 150 };

	fixture_open(&f, NULL);
	struct call_reader *r = call_read(f.channel, T("Once"), body("x"), &o);

	cr_assert_eq(call_read_next(r, &m, &a, &st, &err), CALL_MESSAGE);
	clock_sleep_ms(300); /* the consumer's own pause is not the server's silence */
	int64_t start = clock_mono_ns();

	cr_assert_eq(call_read_next(r, &m, &a, &st, &err), CALL_FAILED);
	cr_assert_eq(st.code, RPC_DEADLINE_EXCEEDED);
	cr_assert_str_eq(rx_err_text(&err), "Once: DEADLINE_EXCEEDED: no message for 150ms");
	cr_assert_geq(clock_mono_ns() - start, 140 * 1000000);
	rx_err_release(&err);
	call_read_free(r);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, message_over_the_limit_is_resource_exhausted)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;

	fixture_open(&f, NULL);
	char *target = xasprintf("unix:%s", f.socket);
	struct channel *small = fixture_channel(
		&f, &(struct channel_options){ .target = target, .max_receive = 1000 });
	struct call_reader *r = call_read(small, T("Count"), body("1 1000"), NULL);

	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_MESSAGE);
	call_read_free(r);
	r = call_read(small, T("Count"), body("1 1001"), NULL);
	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_FAILED);
	cr_assert_eq(err.grpc_status, RPC_RESOURCE_EXHAUSTED, "%s", rx_err_text(&err));
	rx_err_release(&err);
	call_read_free(r);
	channel_free(small);
	free(target);
	fixture_close(&f);
	arena_release(&a);
}

/* --- writers --- */

Test(call, writer_sends_all_and_gets_the_answer)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view reply;
	atomic_int released = 0;

	fixture_open(&f, NULL);
	struct call_writer *w = call_write(f.channel, T("Sum"), NULL);

	for (int i = 0; i < 20; i++)
		cr_assert(call_write_send(w, fixture_body(1000000, &released)));
	cr_assert(call_write_end(w, &a, &reply, &st, &err), "%s", rx_err_text(&err));
	cr_assert(rx_view_eq_str(reply, "20000000"));
	cr_assert_eq(st.code, RPC_OK);
	call_write_free(w);
	w = call_write(f.channel, T("Sum"), NULL);
	cr_assert(call_write_end(w, &a, &reply, NULL, &err));
	cr_assert(rx_view_eq_str(reply, "0"));
	call_write_free(w);
	call_write_free(NULL);
	fixture_close(&f);
	cr_assert_eq(released, 20);
	arena_release(&a);
}

/* Sends until told to stop; how many went. */
static int pour(struct call_writer *w, atomic_int *released)
{
	for (int i = 0; i < 100000; i++) {
		if (!call_write_send(w, fixture_body(100000, released)))
			return i;
	}
	return -1;
}

/* REAPI rules 87, 91: an early answer stops the upload, and it, not the broken send, is the
 * outcome. */
Test(call, rule_87_early_answer_stops_sending)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	atomic_int released = 0;

	fixture_open(&f, NULL);
	struct call_writer *w = call_write(f.channel, T("Early"), NULL);
	int n = pour(w, &released);

	cr_assert_gt(n, 0);
	cr_assert(call_write_end(w, &a, &reply, NULL, &err), "%s", rx_err_text(&err));
	cr_assert(rx_view_eq_str(reply, "early"));
	call_write_free(w);
	fixture_close(&f);
	cr_assert_eq(released, n + 1);
	arena_release(&a);
}

Test(call, rule_91_early_refusal_is_told_by_its_status)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rpc_status st;
	struct rx_view reply;
	atomic_int released = 0;

	fixture_open(&f, NULL);
	struct call_writer *w = call_write(f.channel, T("Refuse"), NULL);

	cr_assert_gt(pour(w, &released), 0);
	cr_assert(!call_write_end(w, &a, &reply, &st, &err));
	cr_assert_eq(st.code, RPC_INVALID_ARGUMENT);
	cr_assert_str_eq(rx_err_text(&err), "Refuse: INVALID_ARGUMENT: no more of this");
	rx_err_release(&err);
	call_write_free(w);
	fixture_close(&f);
	arena_release(&a);
}

Test(call, writer_freed_early_cancels)
{
	struct fixture f;
	atomic_int released = 0;

	fixture_open(&f, NULL);
	struct call_writer *w = call_write(f.channel, T("Sum"), NULL);

	cr_assert(call_write_send(w, fixture_body(10, &released)));
	cr_assert(fixture_wait(&f.messages, 1));
	call_write_free(w);
	cr_assert(fixture_wait(&f.closed, 1));
	cr_assert_eq(f.cancelled, 1);
	fixture_close(&f);
	cr_assert_eq(released, 1);
}

Test(call, answer_without_a_message_is_internal)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	cr_assert(!call_unary(f.channel, T("Fail"), body("0"), NULL, &a, &reply, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_INTERNAL);
	rx_err_release(&err);
	fixture_close(&f);
	arena_release(&a);
}
