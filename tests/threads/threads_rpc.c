/* threads_rpc: clients of every kind from many threads, and the listener they talk to, in one
 * process, for ThreadSanitizer. */
#include <pthread.h>

#include "clock.h"
#include "rpc_fixture.h"

#define THREADS 6
#define ROUNDS  25

static struct fixture f;
static atomic_int failures, done, timers;
static atomic_int released;

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

static void unary_done(void *ctx, const struct call_reply *r)
{
	(void)ctx;
	CHECK(r->status.code == RPC_OK || r->status.code == RPC_CANCELLED);
	done++;
}

static void tick(void *ctx)
{
	(void)ctx;
	timers++;
}

static void round_trip(void)
{
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;

	CHECK(call_unary(f.channel, "/t.T/Echo", fixture_body(1000, &released), NULL, &a, &m, NULL,
			 &err));
	CHECK(m.n == 1000);
	struct call_reader *r =
		call_read(f.channel, "/t.T/Count", rpc_body_copy(RX_VIEW("20 5000")), NULL);
	int n = 0;

	while (call_read_next(r, &m, &a, NULL, &err) == CALL_MESSAGE)
		n++;
	CHECK(n == 20);
	call_read_free(r);
	r = call_read(f.channel, "/t.T/Count", rpc_body_copy(RX_VIEW("50 50000")), NULL);
	CHECK(call_read_next(r, &m, &a, NULL, &err) == CALL_MESSAGE);
	call_read_free(r); /* in the middle */

	struct call_writer *w = call_write(f.channel, "/t.T/Sum", NULL);

	for (int i = 0; i < 20; i++)
		CHECK(call_write_send(w, fixture_body(3000, &released)));
	CHECK(call_write_end(w, &a, &m, NULL, &err));
	CHECK(rx_view_eq_str(m, "60000"));
	call_write_free(w);
	w = call_write(f.channel, "/t.T/Early", NULL);
	while (call_write_send(w, fixture_body(3000, &released)))
		;
	CHECK(call_write_end(w, &a, &m, NULL, &err));
	call_write_free(w);
	rx_err_release(&err);
	arena_release(&a);
}

static void *client(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct loop_timer *t = loop_timer_start(f.loop, i % 5, tick, NULL);

		call_unary_start(f.channel, "/t.T/Echo", fixture_body(100, &released), NULL,
				 unary_done, NULL);
		round_trip();
		loop_timer_stop(t);
	}
	return NULL;
}

int main(void)
{
	pthread_t t[THREADS];

	fixture_open(&f, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, client, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK(fixture_wait(&done, THREADS * ROUNDS));
	/* a storm of calls, cancelled while it goes on */
	for (int i = 0; i < 200; i++) {
		call_unary_start(f.channel, "/t.T/Echo", fixture_body(100, &released), NULL,
				 unary_done, NULL);
		if (i % 50 == 49)
			loop_cancel_all(f.loop);
	}
	fixture_close(&f);
	CHECK(done == THREADS * ROUNDS + 200);
	return failures ? 1 : 0;
}
