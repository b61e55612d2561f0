/* test_pool: every task runs once, the first error wins, nesting does not deadlock. */
#include "pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"

static atomic_int ran;

static void count(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ran, 1);
}

Test(pool, every_task_runs_once)
{
	struct pool *p = pool_new(4, 8);

	cr_assert_eq(pool_threads(p), 4);
	for (int i = 0; i < 10000; i++)
		(i % 3 ? pool_run : pool_post)(p, count, NULL);
	pool_free(p);
	cr_assert_eq(atomic_load(&ran), 10000);
	pool_free(NULL);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void through_gate(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	atomic_fetch_add(&ran, 1);
}

Test(pool, posting_never_blocks)
{
	struct pool *p = pool_new(1, 1);

	pthread_mutex_lock(&gate);
	for (int i = 0; i < 1000; i++)
		pool_post(p, through_gate, NULL);
	cr_assert_eq(atomic_load(&ran), 0);
	pthread_mutex_unlock(&gate);
	pool_free(p);
	cr_assert_eq(atomic_load(&ran), 1000);
}

static void run_more(void *arg)
{
	struct pool *p = arg;

	for (int i = 0; i < 50; i++)
		pool_run(p, count, NULL);
}

Test(pool, a_worker_may_run_more_than_fits, .timeout = 60)
{
	struct pool *p = pool_new(2, 1);

	for (int i = 0; i < 20; i++)
		pool_run(p, run_more, p);
	pool_free(p);
	cr_assert_eq(atomic_load(&ran), 20 * 50);
}

static bool succeed(void *arg, struct rx_err *err)
{
	(void)arg;
	(void)err;
	atomic_fetch_add(&ran, 1);
	return true;
}

static bool fail_number(void *arg, struct rx_err *err)
{
	return rx_fail(err, RX_EDIGEST, "task %d", *(const int *)arg);
}

Test(pool, a_group_succeeds_and_can_wait_again)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct pool *p = pool_new(3, 4);
	struct pool_group *g = pool_group_new(p);

	cr_assert(pool_group_wait(g, &err), "an empty one");
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 1000; i++)
			pool_group_run(g, succeed, NULL);
		cr_assert(pool_group_wait(g, &err));
		cr_assert_eq(atomic_load(&ran), 1000 * round);
	}
	cr_assert_eq(err.code, RX_OK);
	pool_group_free(g);
	pool_group_free(NULL);
	pool_free(p);
}

Test(pool, the_first_error_wins_and_the_rest_is_skipped)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct pool *p = pool_new(1, 1000);
	struct pool_group *g = pool_group_new(p);
	static int numbers[] = { 1, 2 };

	pool_group_run(g, succeed, NULL);
	pool_group_run(g, fail_number, &numbers[0]);
	pool_group_run(g, fail_number, &numbers[1]);
	for (int i = 0; i < 100; i++)
		pool_group_run(g, succeed, NULL);
	cr_assert_not(pool_group_wait(g, &err));
	cr_assert(pool_group_cancelled(g));
	cr_assert_eq(err.code, RX_EDIGEST);
	cr_assert_str_eq(rx_err_text(&err), "task 1");
	cr_assert_eq(atomic_load(&ran), 1);
	pool_group_free(g);
	pool_free(p);
}

static void group_gate(void *arg)
{
	through_gate(arg);
}

Test(pool, cancelling_skips_what_has_not_begun)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct pool *p = pool_new(1, 1000);
	struct pool_group *g = pool_group_new(p);

	pthread_mutex_lock(&gate);
	pool_run(p, group_gate, NULL); /* keeps the only worker */
	for (int i = 0; i < 100; i++)
		pool_group_run(g, succeed, NULL);
	pool_group_cancel(g);
	/* no worker is needed to skip */
	cr_assert_not(pool_group_wait(g, &err));
	cr_assert_eq(err.code, RX_ECANCEL);
	cr_assert_eq(atomic_load(&ran), 0);
	pool_group_free(g);
	pthread_mutex_unlock(&gate);
	pool_free(p);
}

Test(pool, cancelling_when_all_is_done_changes_nothing)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct pool *p = pool_new(2, 10);
	struct pool_group *g = pool_group_new(p);

	pool_group_run(g, succeed, NULL);
	cr_assert(pool_group_wait(g, &err));
	pool_group_cancel(g);
	cr_assert(pool_group_wait(g, &err));
	pool_group_free(g);
	pool_free(p);
}

struct nest {
	struct pool *pool;
	int depth;
};

static bool nested(void *arg, struct rx_err *err)
{
	const struct nest *n = arg;
	struct nest inner = { n->pool, n->depth - 1 };

	if (!n->depth)
		return succeed(NULL, err);
	struct pool_group *g = pool_group_new(n->pool);
	for (int i = 0; i < 4; i++)
		pool_group_run(g, nested, &inner);
	bool ok = pool_group_wait(g, err);
	pool_group_free(g);
	return ok;
}

Test(pool, groups_within_groups_do_not_deadlock, .timeout = 60)
{
	static const unsigned queues[] = { 1, 3, 1000 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	for (size_t i = 0; i < RX_COUNT(queues); i++) {
		struct pool *p = pool_new(2, queues[i]);
		struct nest top = { p, 5 };
		struct pool_group *g = pool_group_new(p);
		atomic_store(&ran, 0);
		for (int k = 0; k < 3; k++)
			pool_group_run(g, nested, &top);
		cr_assert(pool_group_wait(g, &err));
		cr_assert_eq(atomic_load(&ran), 3 * 1024);
		pool_group_free(g);
		pool_free(p);
	}
}

Test(pool, there_is_a_processor)
{
	cr_assert_geq(pool_cpu_count(), 1);
	struct pool *p = pool_new(0, 0);
	cr_assert_eq(pool_threads(p), pool_cpu_count());
	pool_run(p, count, NULL);
	pool_free(p);
	cr_assert_eq(atomic_load(&ran), 1);
}
