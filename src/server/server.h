/* server: the embedded REAPI server: CAS, ActionCache, ByteStream, Capabilities, Execution, health,
 * on one store. */
#pragma once

#include "listen.h"
#include "pool.h"
#include "runner.h"

struct server_options {
	struct listen_options listen;
	bool execution;  /* false: cache only */
	const char *dir; /* store and scratch */
	int64_t max_size;
	unsigned max_actions; /* at once; 0 = processors */
	bool read_only;
	struct runner *runner; /* made before the loop; NULL without execution */
	struct loop *loop;
	struct pool *pool;
	int64_t idle_ms; /* on_idle after this long without calls and actions; 0 = never */
	/* Once, on a thread of the server's: server_free must be called from another one. */
	void (*on_idle)(void *ctx);
	void *ctx;
	int64_t promise_ms; /* see store_options; 0 = the default */
	int64_t orphan_ms;  /* actions nobody waits for are cancelled after this; 0 = 60 s */
	/* A broken upload can be gone on with for so long; 0 = SERVER_UPLOAD_KEEP_MS. */
	int64_t upload_keep_ms;
};
#define SERVER_UPLOAD_KEEP_MS 600000

struct server;
/* Options are copied; strings, runner, loop and pool must outlive the server. One server
 * uses a directory at a time: another is refused (RX_EEXIST). Actions run in a scratch directory
 * beside the store; what a killed server left there is removed after the start. */
struct server *server_new(const struct server_options *o, struct rx_err *err);
int server_port(const struct server *s);
/* No new calls; those under way and their actions get grace_ms, then are cancelled. */
void server_free(struct server *s, int64_t grace_ms);
