/* crew: threads that take the next index until there is none. */
#include "crew.h"

#include <pthread.h>
#include <stdatomic.h>

#include "log.h"

#define CREW_MAX 256

struct crew {
	atomic_size_t next;
	size_t n;
	atomic_bool stop;
	bool (*work)(void *ctx, size_t i, struct rx_err *err);
	void *ctx;
	pthread_mutex_t lock;
	struct rx_err first;
};

static void *crew_member(void *arg)
{
	struct crew *w = arg;

	while (!atomic_load(&w->stop)) {
		RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
		size_t i = atomic_fetch_add(&w->next, 1);

		if (i >= w->n)
			break;
		if (rx_cancelled())
			rx_fail(&err, RX_ECANCEL, "stopped");
		else if (w->work(w->ctx, i, &err))
			continue;
		atomic_store(&w->stop, true);
		pthread_mutex_lock(&w->lock);
		if (w->first.code == RX_OK)
			rx_err_move(&w->first, &err);
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

bool crew_run(unsigned threads, size_t n, bool (*work)(void *ctx, size_t i, struct rx_err *err),
	      void *ctx, struct rx_err *err)
{
	struct crew w = { .n = n, .work = work, .ctx = ctx };
	pthread_t thread[CREW_MAX];
	size_t started = 0, want = RX_MIN(n, (size_t)RX_MIN(threads, (unsigned)CREW_MAX));

	pthread_mutex_init(&w.lock, NULL);
	/* Fewer threads than wanted only mean less at once. */
	while (started + 1 < want && pthread_create(&thread[started], NULL, crew_member, &w) == 0)
		started++;
	crew_member(&w);
	for (size_t i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	pthread_mutex_destroy(&w.lock);
	if (w.first.code == RX_OK)
		return true;
	rx_err_move(err, &w.first);
	return false;
}
