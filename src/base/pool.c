/* pool: worker threads, one queue and the groups of tasks, all under one lock. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define QUEUE_MIN 16u

struct task {
	void (*fn)(void *arg);
	void *arg;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t filled, drained; /* a task came; there is room */
	struct task *ring;
	size_t cap, first, n;
	size_t bound;
	unsigned idle;    /* workers waiting in `filled` */
	unsigned blocked; /* callers waiting in `drained` */
	bool closing;
	unsigned threads;
	pthread_t *thread;
};

struct group_task {
	bool (*fn)(void *arg, struct rx_err *err);
	void *arg;
};

/* The pool's queue holds one ticket per task of a group, the group holds the tasks. So a worker
 * that waits for its own group can run what is left of it: nested groups cannot deadlock. */
struct pool_group {
	struct pool *pool;
	pthread_cond_t done;
	struct group_task *waiting; /* from first on */
	size_t first, n, cap;
	size_t running;
	size_t refs; /* the owner's and one a ticket */
	bool cancelled, skipped, failed;
	struct rx_err err; /* of the first failure */
};

static _Thread_local struct pool *own_pool; /* of a worker */

static void ring_push(struct pool *p, struct task t)
{
	if (p->n == p->cap) {
		size_t cap = RX_MAX(p->cap * 2, (size_t)QUEUE_MIN);
		struct task *ring = xcalloc(cap, sizeof(*ring));
		for (size_t i = 0; i < p->n; i++)
			ring[i] = p->ring[(p->first + i) % p->cap];
		free(p->ring);
		p->ring = ring;
		p->cap = cap;
		p->first = 0;
	}
	p->ring[(p->first + p->n++) % p->cap] = t;
	if (p->idle)
		pthread_cond_signal(&p->filled);
}

static void *work(void *arg)
{
	struct pool *p = arg;

	own_pool = p;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->n && !p->closing) {
			p->idle++;
			pthread_cond_wait(&p->filled, &p->lock);
			p->idle--;
		}
		if (!p->n)
			break;
		struct task t = p->ring[p->first];
		p->first = (p->first + 1) % p->cap;
		p->n--;
		if (p->blocked && p->n < p->bound)
			pthread_cond_signal(&p->drained);
		pthread_mutex_unlock(&p->lock);
		t.fn(t.arg);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *pool_new(unsigned threads, unsigned queue)
{
	struct pool *p = xcalloc(1, sizeof(*p));
	unsigned want = threads ? threads : pool_cpu_count();
	sigset_t all, before;

	p->bound = queue ? queue : 1;
	p->cap = RX_MAX(RX_MIN(queue, 4096u), QUEUE_MIN);
	p->ring = xcalloc(p->cap, sizeof(*p->ring));
	p->thread = xcalloc(want, sizeof(*p->thread));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->filled, NULL);
	pthread_cond_init(&p->drained, NULL);
	/* Signals belong to the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->threads < want && !pthread_create(&p->thread[p->threads], NULL, work, p))
		p->threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!p->threads) {
		static const char text[] = "remex: cannot start a thread\n";
		struct rx_err ignored = { 0 };
		(void)!file_write_fd(2, text, sizeof(text) - 1, &ignored);
		abort();
	}
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->filled);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->filled);
	pthread_cond_destroy(&p->drained);
	pthread_mutex_destroy(&p->lock);
	free(p->thread);
	free(p->ring);
	free(p);
}

unsigned pool_threads(const struct pool *p)
{
	return p->threads;
}

/* Under the lock. False: the queue is full and the caller, a worker, has to do it itself. */
static bool enqueue(struct pool *p, struct task t)
{
	while (p->n >= p->bound) {
		if (own_pool == p)
			return false;
		p->blocked++;
		pthread_cond_wait(&p->drained, &p->lock);
		p->blocked--;
	}
	ring_push(p, t);
	return true;
}

void pool_run(struct pool *p, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&p->lock);
	bool queued = enqueue(p, (struct task){ fn, arg });
	pthread_mutex_unlock(&p->lock);
	if (!queued)
		fn(arg);
}

void pool_post(struct pool *p, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&p->lock);
	ring_push(p, (struct task){ fn, arg });
	pthread_mutex_unlock(&p->lock);
}

struct pool_group *pool_group_new(struct pool *p)
{
	struct pool_group *g = xcalloc(1, sizeof(*g));

	g->pool = p;
	g->refs = 1;
	pthread_cond_init(&g->done, NULL);
	return g;
}

/* Under the lock, which is given back: the last one frees. */
static void drop_and_unlock(struct pool_group *g)
{
	struct pool *p = g->pool;
	bool last = --g->refs == 0;

	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	pthread_cond_destroy(&g->done);
	rx_err_release(&g->err);
	free(g->waiting);
	free(g);
}

/* Under the lock, which is given up while the task runs. */
static void run_one(struct pool_group *g)
{
	struct group_task t = g->waiting[g->first++];
	struct rx_err err = { 0 };

	if (g->first == g->n)
		g->first = g->n = 0;
	if (g->cancelled) {
		g->skipped = true;
	} else {
		g->running++;
		pthread_mutex_unlock(&g->pool->lock);
		bool ok = t.fn(t.arg, &err);
		pthread_mutex_lock(&g->pool->lock);
		g->running--;
		if (!ok && !g->failed) {
			g->failed = true;
			__atomic_store_n(&g->cancelled, true, __ATOMIC_RELAXED);
			rx_err_move(&g->err, &err);
		}
	}
	if (!g->running && !g->n)
		pthread_cond_broadcast(&g->done);
	rx_err_release(&err);
}

static void group_ticket(void *arg)
{
	struct pool_group *g = arg;

	pthread_mutex_lock(&g->pool->lock);
	/* A waiter may have done it already. */
	if (g->n)
		run_one(g);
	drop_and_unlock(g);
}

void pool_group_run(struct pool_group *g, bool (*fn)(void *arg, struct rx_err *err), void *arg)
{
	pthread_mutex_lock(&g->pool->lock);
	g->refs++;
	/* The room of tasks that are gone is used again before the array grows. */
	if (g->n == g->cap && g->first > g->cap / 2) {
		memmove(g->waiting, g->waiting + g->first, (g->n - g->first) * sizeof(*g->waiting));
		g->n -= g->first;
		g->first = 0;
	}
	RX_GROW(g->waiting, g->n, g->cap);
	g->waiting[g->n++] = (struct group_task){ fn, arg };
	bool queued = enqueue(g->pool, (struct task){ group_ticket, g });
	pthread_mutex_unlock(&g->pool->lock);
	if (!queued)
		group_ticket(g);
}

void pool_group_cancel(struct pool_group *g)
{
	pthread_mutex_lock(&g->pool->lock);
	__atomic_store_n(&g->cancelled, true, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&g->pool->lock);
}

bool pool_group_cancelled(const struct pool_group *g)
{
	return __atomic_load_n(&g->cancelled, __ATOMIC_RELAXED);
}

/* Under the lock. */
static void wait_all(struct pool_group *g)
{
	while (g->running || g->n) {
		if (g->n && (own_pool == g->pool || g->cancelled))
			run_one(g);
		else
			pthread_cond_wait(&g->done, &g->pool->lock);
	}
}

bool pool_group_wait(struct pool_group *g, struct rx_err *err)
{
	pthread_mutex_lock(&g->pool->lock);
	wait_all(g);
	bool failed = g->failed, skipped = g->skipped;
	if (failed && g->err.code != RX_OK)
		rx_err_move(err, &g->err);
	else if (failed || skipped)
		rx_fail(err, RX_ECANCEL, "cancelled");
	pthread_mutex_unlock(&g->pool->lock);
	return !failed && !skipped;
}

void pool_group_free(struct pool_group *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->pool->lock);
	wait_all(g);
	drop_and_unlock(g);
}

/* Processors the scheduler may use for us. */
static unsigned affinity_count(void)
{
	for (int max = 1024; max <= 1 << 20; max *= 2) {
		cpu_set_t *set = CPU_ALLOC(max);
		size_t size = CPU_ALLOC_SIZE(max);
		if (!set)
			break;
		int failed = sched_getaffinity(0, size, set);
		int count = failed ? 0 : CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (count > 0)
			return (unsigned)count;
		if (errno != EINVAL) /* EINVAL: the kernel's mask is longer */
			break;
	}
	return 1;
}

/* The quota in one cgroup directory, rounded up to whole processors; 0 when there is none. */
static unsigned quota_of(const char *dir)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	RX_CLEANUP(xfreep) char *path = xasprintf("%s/cpu.max", dir);
	unsigned long long quota, period;

	if (!file_read(AT_FDCWD, path, 4096, &text, &ignored))
		return 0;
	if (sscanf(rx_buf_str(&text), "%llu %llu", &quota, &period) != 2 || !period || !quota)
		return 0;
	return (unsigned)RX_MIN((quota + period - 1) / period, 1u << 20);
}

/* cgroup v2: every level up to the root may set one. */
static unsigned quota_count(void)
{
	static const char root[] = "/sys/fs/cgroup";
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	unsigned least = 0;

	if (!file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text, &ignored))
		return 0;
	const char *line = rx_buf_str(&text);
	while (line && strncmp(line, "0::", 3) != 0) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (!line)
		return 0;
	line += 3;
	RX_CLEANUP(xfreep) char *dir = xasprintf("%s%.*s", root, (int)strcspn(line, "\n"), line);
	for (;;) {
		unsigned quota = quota_of(dir);
		if (quota && (!least || quota < least))
			least = quota;
		char *slash = strrchr(dir, '/');
		if (strlen(dir) < sizeof(root) || !slash)
			return least;
		*slash = '\0';
	}
}

unsigned pool_cpu_count(void)
{
	unsigned affinity = affinity_count(), quota = quota_count();

	return quota ? RX_MIN(affinity, quota) : affinity;
}
