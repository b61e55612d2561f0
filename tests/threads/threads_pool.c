/* threads_pool: the pool, its groups, the log and the hashes from many threads at once, for
 * ThreadSanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "hash.h"
#include "log.h"
#include "map.h"
#include "pool.h"
#include "utf8.h"

static atomic_int ran;

static void check(bool right, const char *what)
{
	if (right)
		return;
	printf("failed: %s\n", what);
	exit(1);
}

static bool work(void *arg, struct rx_err *err)
{
	uint8_t out[HASH_MAX_LEN];
	RX_CLEANUP(rx_map_release) struct rx_map m = { 0 };

	(void)arg;
	(void)err;
	hash_bytes(HASH_SHA256, "x", 1, out);
	hash_bytes(HASH_SHA256TREE, "x", 1, out);
	rx_map_put(&m, out, 32, NULL);
	rx_note("noted once");
	rx_debug("not shown");
	atomic_fetch_add(&ran, 1);
	return !rx_cancelled();
}

static bool sometimes_fail(void *arg, struct rx_err *err)
{
	if (random_u64() % 100 == 0)
		return rx_fail(err, RX_EIO, "one in a hundred");
	return work(arg, err);
}

static bool nest(void *arg, struct rx_err *err)
{
	struct pool_group *g = pool_group_new(arg);

	for (int i = 0; i < 20; i++)
		pool_group_run(g, work, NULL);
	bool ok = pool_group_wait(g, err);
	pool_group_free(g);
	return ok;
}

static void count(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ran, 1);
}

static void *caller(void *arg)
{
	struct pool *p = arg;
	struct rx_err err = { 0 };

	for (int round = 0; round < 20; round++) {
		struct pool_group *g = pool_group_new(p);
		for (int i = 0; i < 50; i++)
			pool_group_run(g, i % 5 ? work : nest, p);
		for (int i = 0; i < 50; i++)
			(i % 2 ? pool_run : pool_post)(p, count, NULL);
		check(pool_group_wait(g, &err), "a group of successes");
		pool_group_free(g);
		g = pool_group_new(p);
		for (int i = 0; i < 100; i++)
			pool_group_run(g, sometimes_fail, NULL);
		if (round % 2)
			pool_group_cancel(g);
		if (!pool_group_wait(g, &err))
			check(err.code == RX_EIO || err.code == RX_ECANCEL, "the error's code");
		rx_err_reset(&err);
		pool_group_free(g); /* while its tickets may still be queued */
	}
	rx_err_release(&err);
	return NULL;
}

int main(void)
{
	struct pool *p = pool_new(4, 8);
	pthread_t threads[4];

	for (size_t i = 0; i < RX_COUNT(threads); i++)
		check(pthread_create(&threads[i], NULL, caller, p) == 0, "pthread_create");
	for (size_t i = 0; i < RX_COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	pool_free(p);
	check(atomic_load(&ran) >= 4 * 20 * (40 + 10 * 20 + 50), "every task ran");
	printf("%d tasks\n", atomic_load(&ran));
	return 0;
}
