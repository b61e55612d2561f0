/* pool: a fixed number of worker threads and a bounded queue; groups wait for their tasks and keep
 * the first error.
 *
 * pool_run may block while the queue is full, except when called from a worker of the same pool:
 * then the task runs at once in the caller, so nested work cannot deadlock. For the same reason a
 * worker that waits for a group helps with that group's tasks. */
#pragma once

#include "err.h"

struct pool;
struct pool *pool_new(unsigned threads,
		      unsigned queue); /* threads 0 = the number of processors allowed to us */
void pool_free(struct pool *p);        /* waits for queued tasks */
unsigned pool_threads(const struct pool *p);
unsigned pool_cpu_count(void); /* by affinity and cgroup quota, at least 1 */
void pool_run(struct pool *p, void (*fn)(void *arg), void *arg);
/* Never blocks and never runs in the caller: for callers that must not wait (the gRPC loop). The
 * queue may grow past its bound by as much as such callers have outstanding. */
void pool_post(struct pool *p, void (*fn)(void *arg), void *arg);

/* A group of tasks with one outcome. After the first failure or pool_group_cancel the rest are
 * skipped. */
struct pool_group;
struct pool_group *pool_group_new(struct pool *p);
void pool_group_run(struct pool_group *g, bool (*fn)(void *arg, struct rx_err *err), void *arg);
void pool_group_cancel(struct pool_group *g);
bool pool_group_cancelled(const struct pool_group *g);
/* False with the first error, or with RX_ECANCEL when tasks were skipped. */
RX_MUST_USE bool pool_group_wait(struct pool_group *g, struct rx_err *err);
void pool_group_free(struct pool_group *g); /* waits */
