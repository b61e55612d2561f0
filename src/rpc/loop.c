/* loop: one thread, one completion queue, a heap of timers whose earliest is the queue's deadline.
 *
 * gRPC's C core has no alarm: an empty batch on a call that goes nowhere puts its tag into the
 * queue at once, which is how other threads wake the loop or hand it work. */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include "clock.h"
#include "log.h"
#include "op.h"

struct loop_timer {
	struct loop *loop;
	int64_t due;
	size_t at; /* place in the heap + 1; 0 = not in it */
	void (*fn)(void *ctx);
	void *ctx;
};

struct loop {
	grpc_completion_queue *queue;
	grpc_channel *nowhere;
	grpc_call *post; /* empty batches on it are posts */
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct loop_timer **heap;
	size_t n, cap;
	_Atomic int64_t next_due;   /* of heap[0], INT64_MAX when empty */
	struct loop_timer *running; /* whose fn runs now */
	struct op wake;
	bool wake_posted;
	struct loop_live live; /* head of a ring */
	size_t n_live;
};

static _Thread_local const struct loop *current;

static void log_line(gpr_log_func_args *args)
{
	rx_debug("grpc: %s", args->message);
}

static void log_once(void)
{
	gpr_set_log_function(log_line);
}

grpc_completion_queue *loop_queue(struct loop *l)
{
	return l->queue;
}

bool loop_is_current(const struct loop *l)
{
	return current == l;
}

void op_batch(grpc_call *call, const grpc_op *ops, size_t n, struct op *op)
{
	OP_HANDED(op);
	grpc_call_error e = grpc_call_start_batch(call, ops, n, op, NULL);
	if (e != GRPC_CALL_OK) {
		gpr_log(GPR_ERROR, "start_batch: %s", grpc_call_error_to_string(e));
		abort();
	}
}

static void post_locked(struct loop *l, struct op *op)
{
	op_batch(l->post, NULL, 0, op);
}

void loop_post(struct loop *l, struct op *op)
{
	pthread_mutex_lock(&l->lock);
	post_locked(l, op);
	pthread_mutex_unlock(&l->lock);
}

/* --- timers --- */

static void heap_set(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->at = i + 1;
}

static void heap_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	while (i > 0 && l->heap[(i - 1) / 2]->due > t->due) {
		heap_set(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_set(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (;;) {
		size_t kid = 2 * i + 1;

		if (kid >= l->n)
			break;
		if (kid + 1 < l->n && l->heap[kid + 1]->due < l->heap[kid]->due)
			kid++;
		if (l->heap[kid]->due >= t->due)
			break;
		heap_set(l, i, l->heap[kid]);
		i = kid;
	}
	heap_set(l, i, t);
}

static void heap_top_changed(struct loop *l)
{
	atomic_store(&l->next_due, l->n ? l->heap[0]->due : INT64_MAX);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
	size_t i = t->at - 1;
	struct loop_timer *last = l->heap[--l->n];

	t->at = 0;
	if (last != t) {
		heap_set(l, i, last);
		heap_up(l, i);
		heap_down(l, last->at - 1);
	}
	heap_top_changed(l);
}

struct loop_timer *loop_timer_start(struct loop *l, int64_t delay_ms, void (*fn)(void *ctx),
				    void *ctx)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	t->due = clock_mono_ns() + RX_MAX(delay_ms, 0) * 1000000;
	pthread_mutex_lock(&l->lock);
	RX_GROW(l->heap, l->n, l->cap);
	l->heap[l->n++] = t;
	heap_up(l, l->n - 1);
	heap_top_changed(l);
	if (t->at == 1 && current != l && !l->wake_posted) {
		l->wake_posted = true;
		post_locked(l, &l->wake);
	}
	pthread_mutex_unlock(&l->lock);
	return t;
}

void loop_timer_stop(struct loop_timer *t)
{
	if (!t)
		return;
	struct loop *l = t->loop;

	pthread_mutex_lock(&l->lock);
	if (t->at)
		heap_remove(l, t);
	assert(l->running != t || current != l);
	while (l->running == t)
		pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
	free(t);
}

/* Nothing but to come back to the queue with the new deadline. */
static void on_wake(struct op *op, bool ok)
{
	struct loop *l = RX_CONTAINER(op, struct loop, wake);

	(void)ok;
	pthread_mutex_lock(&l->lock);
	l->wake_posted = false;
	pthread_mutex_unlock(&l->lock);
}

/* Runs what is due; returns until when the queue may be waited for. */
static gpr_timespec run_due(struct loop *l)
{
	int64_t next = atomic_load(&l->next_due);

	if (next == INT64_MAX)
		return gpr_inf_future(GPR_CLOCK_MONOTONIC);
	int64_t now = clock_mono_ns();

	if (next <= now) {
		pthread_mutex_lock(&l->lock);
		while (l->n && l->heap[0]->due <= now) {
			struct loop_timer *t = l->heap[0];

			heap_remove(l, t);
			l->running = t;
			pthread_mutex_unlock(&l->lock);
			t->fn(t->ctx);
			pthread_mutex_lock(&l->lock);
			l->running = NULL;
			pthread_cond_broadcast(&l->changed);
		}
		pthread_mutex_unlock(&l->lock);
		next = atomic_load(&l->next_due);
		if (next == INT64_MAX)
			return gpr_inf_future(GPR_CLOCK_MONOTONIC);
		now = clock_mono_ns();
	}
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			    gpr_time_from_nanos(RX_MAX(next - now, 0), GPR_TIMESPAN));
}

static void *loop_main(void *arg)
{
	struct loop *l = arg;

	current = l;
	for (;;) {
		grpc_event e = grpc_completion_queue_next(l->queue, run_due(l), NULL);

		if (e.type == GRPC_QUEUE_SHUTDOWN)
			break;
		if (e.type != GRPC_OP_COMPLETE)
			continue;
		OP_TAKEN(e.tag);
		struct op *op = e.tag;

		op->fn(op, e.success != 0);
	}
	return NULL;
}

/* --- calls --- */

void loop_enter(struct loop *l, struct loop_live *live)
{
	pthread_mutex_lock(&l->lock);
	live->prev = l->live.prev;
	live->next = &l->live;
	live->prev->next = live;
	live->next->prev = live;
	l->n_live++;
	pthread_mutex_unlock(&l->lock);
}

void loop_unlink(struct loop *l, struct loop_live *live)
{
	pthread_mutex_lock(&l->lock);
	live->prev->next = live->next;
	live->next->prev = live->prev;
	pthread_mutex_unlock(&l->lock);
}

void loop_left(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->n_live--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

void loop_cancel_all(struct loop *l)
{
	size_t n = 0;

	/* Cancelling may run a body's release function in this thread: not under the lock. */
	pthread_mutex_lock(&l->lock);
	grpc_call **calls = xmalloc((l->n_live + 1) * sizeof(*calls));

	for (struct loop_live *v = l->live.next; v != &l->live; v = v->next) {
		if (v->call) {
			grpc_call_ref(v->call);
			calls[n++] = v->call;
		}
	}
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < n; i++) {
		grpc_call_cancel(calls[i], NULL);
		grpc_call_unref(calls[i]);
	}
	free(calls);
}

struct loop *loop_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct loop *l = xcalloc(1, sizeof(*l));
	sigset_t all, old;

	/* Signals belong to the thread that waits for them, not to ours or gRPC's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_once(&once, log_once);
	grpc_init();
	l->queue = grpc_completion_queue_create_for_next(NULL);
	l->nowhere = grpc_lame_client_channel_create("post", GRPC_STATUS_UNAVAILABLE, "post");
	l->post = grpc_channel_create_call(l->nowhere, NULL, 0, l->queue,
					   grpc_slice_from_static_string("/post"), NULL,
					   gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, NULL);
	atomic_store(&l->next_due, INT64_MAX);
	l->wake.fn = on_wake;
	l->live.prev = l->live.next = &l->live;
	if (pthread_create(&l->thread, NULL, loop_main, l) != 0) {
		gpr_log(GPR_ERROR, "no thread for the loop");
		abort();
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	assert(!loop_is_current(l));
	loop_cancel_all(l);
	pthread_mutex_lock(&l->lock);
	while (l->n_live)
		pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
	grpc_call_unref(l->post);
	grpc_channel_destroy(l->nowhere);
	grpc_completion_queue_shutdown(l->queue);
	pthread_join(l->thread, NULL);
	grpc_completion_queue_destroy(l->queue);
	grpc_shutdown_blocking();
	for (size_t i = 0; i < l->n; i++)
		free(l->heap[i]);
	free(l->heap);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
