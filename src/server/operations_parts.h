/* operations_parts: what the queue and the running of one action share. Only operation*.c include
 * it. */
#pragma once

#include <pthread.h>

#include "map.h"
#include "operations.h"
#include "server_parts.h"

struct watcher {
	struct watcher *next;
	struct listen_call *call;
};
/* Guarded by the lock of operations, but for what its executor alone uses. */
struct operation {
	struct operation *next; /* in the queue, or in the list of finished ones, oldest first */
	char name[64];          /* "operations/<uuid>": cannot be guessed */
	char *instance, *key;   /* key: of the merge map, NULL when not in it */
	size_t key_n;
	struct digest action;
	int32_t priority;
	uint64_t number;
	enum wire_stage stage;
	bool queued, executing, done;
	volatile bool cancel;
	struct watcher *watchers;
	int64_t orphan_since_ns; /* 0 = watched */
	int64_t queued_wall_ns, done_ns;
	struct rx_buf last; /* the final state, packed */
	unsigned links;     /* enum wire_links of its result */
	struct inline_wishes wishes;
	struct arena strings;
	struct operations *ops;
};

struct operations {
	struct operations_options o;
	pthread_mutex_t lock;
	pthread_cond_t work, tick;
	struct rx_map by_name, by_key;
	struct operation *queue; /* by priority, then by number */
	struct operation *finished, **finished_end;
	size_t n_finished, finished_bytes;
	size_t waiting, executing;
	uint64_t numbers;
	bool stop;
	pthread_t *threads, janitor;
	unsigned n_threads;
	bool has_janitor;
};

/* operations.c, with the lock held: tells watchers. */
void operation_stage(struct operation *op, enum wire_stage stage);
/* operation_run.c, without the lock: runs it and says how it ended; strings in the arena. */
void operation_run(struct operation *op, struct arena *a, struct wire_operation *out);
