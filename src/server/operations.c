/* operations: the queue, the threads that run actions, and what their watchers are told. */
#include "operations_parts.h"

#include <errno.h>

#include "clock.h"
#include "limit.h"
#include "utf8.h"

#define WAITING_MAX 20000

static void operation_free(struct operation *op)
{
	rx_buf_release(&op->last);
	arena_release(&op->strings);
	free(op->instance);
	free(op->key);
	free(op);
}

/* --- what watchers are told; all with the lock held --- */

static void pack_state(const struct operation *op, struct rx_buf *out)
{
	const struct wire_operation w = {
		.name = op->name, .has_metadata = true, .stage = op->stage, .action = op->action
	};

	if (op->done)
		rx_buf_add(out, op->last.p, op->last.n);
	else
		wire_operation_pack(&w, WIRE_LINKS_NEW, out);
}

static void tell(const struct operation *op, struct listen_call *c)
{
	struct rx_buf state = { .max = SERVER_MAX_REPLY };

	pack_state(op, &state);
	listen_send(c, rpc_body_take(&state));
	if (op->done)
		listen_finish(c, RPC_OK, "", (struct rx_view){ 0 });
}

void operation_stage(struct operation *op, enum wire_stage stage)
{
	op->stage = stage;
	for (const struct watcher *w = op->watchers; w; w = w->next)
		tell(op, w->call);
}

static void add_watcher(struct operation *op, struct listen_call *c)
{
	struct watcher *w = xcalloc(1, sizeof(*w));

	w->call = c;
	w->next = op->watchers;
	op->watchers = w;
	op->orphan_since_ns = 0;
	listen_set_data(c, op);
	tell(op, c);
}

/* --- the queue; with the lock held --- */

static void enqueue(struct operations *ops, struct operation *op)
{
	struct operation **p = &ops->queue;

	/* Lower values run sooner (REAPI rule 53). */
	while (*p && ((*p)->priority < op->priority ||
		      ((*p)->priority == op->priority && (*p)->number < op->number)))
		p = &(*p)->next;
	op->next = *p;
	*p = op;
	op->queued = true;
	ops->waiting++;
}

static void dequeue(struct operations *ops, struct operation *op)
{
	struct operation **p = &ops->queue;

	while (*p && *p != op)
		p = &(*p)->next;
	if (!*p)
		return;
	*p = op->next;
	op->next = NULL;
	op->queued = false;
	ops->waiting--;
}

static void unmerge(struct operations *ops, struct operation *op)
{
	if (!op->key)
		return;
	(void)rx_map_remove(&ops->by_key, op->key, op->key_n, NULL);
	free(op->key);
	op->key = NULL;
}

/* Forgets the oldest finished ones; the newest stays, whatever its size. */
static void forget(struct operations *ops, int64_t now)
{
	while (ops->finished) {
		struct operation *op = ops->finished;

		if ((!op->next || (ops->n_finished <= OPERATION_KEEP_COUNT &&
				   ops->finished_bytes <= OPERATION_KEEP_BYTES)) &&
		    now - op->done_ns < OPERATION_KEEP_MS * 1000000LL)
			return;
		ops->finished = op->next;
		if (!ops->finished)
			ops->finished_end = &ops->finished;
		ops->n_finished--;
		ops->finished_bytes -= op->last.n;
		(void)rx_map_remove(&ops->by_name, op->name, strlen(op->name), NULL);
		operation_free(op);
	}
}

/* Ends the operation with what w says. */
static void complete(struct operation *op, const struct wire_operation *w)
{
	struct operations *ops = op->ops;
	struct wire_operation full = *w;
	struct watcher *next;

	full.name = op->name;
	full.done = full.has_metadata = full.has_response = true;
	full.stage = STAGE_COMPLETED;
	full.action = op->action;
	op->last.max = SERVER_MAX_REPLY;
	wire_operation_pack(&full, op->links, &op->last);
	if (op->last.full) {
		rx_buf_release(&op->last);
		op->last.max = SERVER_MAX_REPLY;
		full.has_result = false;
		full.status = (struct wire_status){ .code = RPC_RESOURCE_EXHAUSTED,
						    .message = "the result is too large to send" };
		wire_operation_pack(&full, op->links, &op->last);
	}
	dequeue(ops, op);
	unmerge(ops, op);
	op->done = true;
	op->done_ns = clock_mono_ns();
	operation_stage(op, STAGE_COMPLETED);
	for (struct watcher *v = op->watchers; v; v = next) {
		next = v->next;
		listen_set_data(v->call, NULL);
		free(v);
	}
	op->watchers = NULL;
	*ops->finished_end = op;
	ops->finished_end = &op->next;
	op->next = NULL;
	ops->n_finished++;
	ops->finished_bytes += op->last.n;
	forget(ops, op->done_ns);
}

static void complete_status(struct operation *op, int code, const char *message)
{
	const struct wire_operation w = { .status = { .code = code, .message = message } };

	complete(op, &w);
}

static void run(struct operations *ops, struct operation *op)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	struct wire_operation w;

	operation_run(op, &a, &w);
	pthread_mutex_lock(&ops->lock);
	op->executing = false;
	ops->executing--;
	complete(op, &w);
	pthread_mutex_unlock(&ops->lock);
	if (ops->o.changed)
		ops->o.changed(ops->o.ctx);
}

static void *executor(void *arg)
{
	struct operations *ops = arg;

	pthread_mutex_lock(&ops->lock);
	for (;;) {
		struct operation *op = ops->queue;

		if (ops->stop)
			break;
		if (!op) {
			pthread_cond_wait(&ops->work, &ops->lock);
			continue;
		}
		dequeue(ops, op);
		op->executing = true;
		ops->executing++;
		pthread_mutex_unlock(&ops->lock);
		run(ops, op);
		pthread_mutex_lock(&ops->lock);
	}
	pthread_mutex_unlock(&ops->lock);
	return NULL;
}

/* With the lock held. The executor notices and completes it; a queued one ends here. */
static void cancel(struct operations *ops, struct operation *op)
{
	__atomic_store_n(&op->cancel, true, __ATOMIC_RELEASE);
	unmerge(ops, op); /* nobody joins it any more */
	if (op->executing)
		runner_wake(ops->o.runner);
	else if (!op->done)
		complete_status(op, RPC_CANCELLED, "the action was cancelled");
}

/* Cancels what nobody waits for, forgets what is old. Returns when to look again, 0 = when woken.
 */
static int64_t tidy(struct operations *ops, int64_t now)
{
	int64_t orphan_ns = (ops->o.orphan_ms ? ops->o.orphan_ms : OPERATION_ORPHAN_MS) * 1000000;
	int64_t next = 0;
	void *value;

	for (size_t i = 0; rx_map_next(&ops->by_name, &i, NULL, &value);) {
		struct operation *op = value;

		if (op->done || op->cancel || !op->orphan_since_ns)
			continue;
		if (now - op->orphan_since_ns >= orphan_ns)
			cancel(ops, op);
		else if (!next || op->orphan_since_ns + orphan_ns < next)
			next = op->orphan_since_ns + orphan_ns;
		/* complete() may have changed the map: start over */
		if (op->done)
			i = 0;
	}
	forget(ops, now);
	if (!next && ops->finished)
		next = ops->finished->done_ns + OPERATION_KEEP_MS * 1000000LL;
	return next;
}

static void *janitor(void *arg)
{
	struct operations *ops = arg;

	pthread_mutex_lock(&ops->lock);
	while (!ops->stop) {
		int64_t next = tidy(ops, clock_mono_ns());
		struct timespec until = { next / 1000000000, next % 1000000000 };

		if (next)
			pthread_cond_timedwait(&ops->tick, &ops->lock, &until);
		else
			pthread_cond_wait(&ops->tick, &ops->lock);
	}
	pthread_mutex_unlock(&ops->lock);
	return NULL;
}

/* --- the face --- */

struct operations *operations_new(const struct operations_options *o, struct rx_err *err)
{
	struct operations *ops = xcalloc(1, sizeof(*ops));
	unsigned n = o->max_actions ? o->max_actions : pool_cpu_count();
	pthread_condattr_t monotonic;

	ops->o = *o;
	ops->finished_end = &ops->finished;
	pthread_mutex_init(&ops->lock, NULL);
	pthread_cond_init(&ops->work, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&ops->tick, &monotonic);
	pthread_condattr_destroy(&monotonic);
	ops->threads = xcalloc(n, sizeof(*ops->threads));
	errno = pthread_create(&ops->janitor, NULL, janitor, ops);
	ops->has_janitor = errno == 0;
	while (errno == 0 && ops->n_threads < n) {
		errno = pthread_create(&ops->threads[ops->n_threads], NULL, executor, ops);
		ops->n_threads += errno == 0;
	}
	if (errno) {
		rx_fail_errno(err, "starting a thread");
		operations_free(ops);
		return NULL;
	}
	return ops;
}

void operations_free(struct operations *ops)
{
	void *value;

	if (!ops)
		return;
	pthread_mutex_lock(&ops->lock);
	ops->stop = true;
	for (size_t i = 0; rx_map_next(&ops->by_name, &i, NULL, &value);)
		__atomic_store_n(&((struct operation *)value)->cancel, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&ops->work);
	pthread_cond_broadcast(&ops->tick);
	pthread_mutex_unlock(&ops->lock);
	if (ops->o.runner)
		runner_wake(ops->o.runner);
	for (unsigned i = 0; i < ops->n_threads; i++)
		pthread_join(ops->threads[i], NULL);
	if (ops->has_janitor)
		pthread_join(ops->janitor, NULL);
	for (size_t i = 0; rx_map_next(&ops->by_name, &i, NULL, &value);)
		operation_free(value);
	rx_map_release(&ops->by_name);
	rx_map_release(&ops->by_key);
	free(ops->threads);
	pthread_mutex_destroy(&ops->lock);
	pthread_cond_destroy(&ops->work);
	pthread_cond_destroy(&ops->tick);
	free(ops);
}

size_t operations_running(struct operations *ops)
{
	size_t n;

	pthread_mutex_lock(&ops->lock);
	n = ops->waiting + ops->executing;
	pthread_mutex_unlock(&ops->lock);
	return n;
}

static struct operation *operation_new(struct operations *ops, const struct wire_execute *m)
{
	struct operation *op = xcalloc(1, sizeof(*op));
	char uuid[37];

	uuid_v4(uuid);
	(void)snprintf(op->name, sizeof(op->name), "operations/%s", uuid);
	op->ops = ops;
	op->instance = xstrdup(m->instance);
	op->action = m->action;
	op->priority = m->priority;
	op->stage = STAGE_QUEUED;
	op->links = WIRE_LINKS_NEW;
	op->queued_wall_ns = clock_wall_ns();
	op->wishes.stdout_raw = m->inline_stdout;
	op->wishes.stderr_raw = m->inline_stderr;
	op->wishes.files = ARENA_ARRAY(&op->strings, const char *, m->n_inline_files);
	op->wishes.n_files = m->n_inline_files;
	for (size_t i = 0; i < m->n_inline_files; i++)
		op->wishes.files[i] = arena_str(&op->strings, m->inline_files[i]);
	return op;
}

/* With the lock held: another request for an action under way. */
static void join(struct operations *ops, struct operation *op, int32_t priority)
{
	if (priority >= op->priority)
		return;
	op->priority = priority;
	if (!op->queued)
		return;
	dequeue(ops, op);
	enqueue(ops, op);
}

/* Instance, function, hash and size. */
static char *merge_key(const struct wire_execute *m, size_t *n)
{
	uint8_t digest[DIGEST_KEY_MAX];
	size_t instance = strlen(m->instance), digest_n = digest_key(&m->action, digest);
	char *key = xmalloc(digest_n + instance);

	memcpy(key, digest, digest_n);
	memcpy(key + digest_n, m->instance, instance);
	*n = digest_n + instance;
	return key;
}

bool operations_execute(struct operations *ops, struct listen_call *c, const struct wire_execute *m,
			bool may_merge, struct rx_err *err)
{
	struct operation *op = NULL;
	char *key = NULL;
	size_t key_n = 0;
	bool full;

	if (may_merge)
		key = merge_key(m, &key_n);
	pthread_mutex_lock(&ops->lock);
	if (key)
		op = rx_map_get(&ops->by_key, key, key_n);
	full = !op && ops->waiting >= WAITING_MAX;
	if (op) {
		join(ops, op, m->priority);
		free(key);
	} else if (!full) {
		op = operation_new(ops, m);
		op->key = key;
		op->key_n = key_n;
		op->number = ++ops->numbers;
		rx_map_put(&ops->by_name, op->name, strlen(op->name), op);
		if (key)
			rx_map_put(&ops->by_key, key, key_n, op);
		enqueue(ops, op);
		pthread_cond_signal(&ops->work);
	} else {
		free(key);
	}
	if (op)
		add_watcher(op, c);
	pthread_mutex_unlock(&ops->lock);
	if (full)
		return rx_fail(err, RX_ELIMIT, "%d actions are waiting already", WAITING_MAX);
	return true;
}

/* With the lock held. */
static struct operation *find(struct operations *ops, const char *name)
{
	return rx_map_get(&ops->by_name, name, strlen(name));
}

bool operations_watch(struct operations *ops, struct listen_call *c, const char *name)
{
	struct operation *op;

	pthread_mutex_lock(&ops->lock);
	op = find(ops, name);
	if (op && op->done)
		tell(op, c);
	else if (op)
		add_watcher(op, c);
	pthread_mutex_unlock(&ops->lock);
	return op != NULL;
}

void operations_unwatch(struct operations *ops, struct listen_call *c)
{
	struct operation *op;

	pthread_mutex_lock(&ops->lock);
	op = listen_data(c);
	for (struct watcher **p = op ? &op->watchers : NULL; p && *p; p = &(*p)->next)
		if ((*p)->call == c) {
			struct watcher *w = *p;

			*p = w->next;
			free(w);
			break;
		}
	if (op && !op->watchers) {
		op->orphan_since_ns = clock_mono_ns();
		pthread_cond_signal(&ops->tick);
	}
	pthread_mutex_unlock(&ops->lock);
}

bool operations_state(struct operations *ops, const char *name, struct rx_buf *out)
{
	struct operation *op;

	pthread_mutex_lock(&ops->lock);
	op = find(ops, name);
	if (op)
		pack_state(op, out);
	pthread_mutex_unlock(&ops->lock);
	return op != NULL;
}

bool operations_cancel(struct operations *ops, const char *name)
{
	struct operation *op;

	pthread_mutex_lock(&ops->lock);
	op = find(ops, name);
	if (op && !op->done)
		cancel(ops, op);
	pthread_mutex_unlock(&ops->lock);
	return op != NULL;
}
