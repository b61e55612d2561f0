/* server_parts: what the services of the server share. Only src/server includes it. */
#pragma once

#include <pthread.h>

#include "operations.h"
#include "server.h"
#include "store.h"
#include "wire_status.h"

/* Blob bytes of one batch call; clients count either blobs or messages (REAPI rules 44-46). */
#define SERVER_MAX_BATCH ((4 << 20) - (64 << 10))
/* The largest request: room for a batch's framing, and for clients that send more a chunk. */
#define SERVER_MAX_RECEIVE (16 << 20)
/* A result with everything inlined, and a page of a tree. */
#define SERVER_MAX_REPLY (LIMIT_RESULT_BYTES + (1u << 20))

struct upload;
struct server {
	struct server_options o;
	struct store *store;
	struct listener *listener;
	struct operations *operations; /* NULL without execution */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake;
	size_t live; /* calls */
	int64_t quiet_since_ns;
	int64_t trimmed_ns;  /* the quiet_since_ns for which memory was given back */
	volatile bool stop;  /* atomic */
	bool told, sleeping; /* sleeping: the watcher waits to be woken when it is quiet */
	pthread_t watcher;
	bool has_watcher;
	struct upload *uploads; /* under way and broken ones */
};

/* start and closed of every method: the server counts live calls to know when it is idle. */
bool server_started(struct listen_call *c);
void server_closed(struct listen_call *c);

/* The one mapping from errors to gRPC codes. */
int server_code(const struct rx_err *err);
void server_fail(struct listen_call *c, const struct rx_err *err);
void server_refuse(struct listen_call *c, int code, const char *fmt, ...) RX_PRINTF(3, 4);
/* Fails the call with FAILED_PRECONDITION and a violation for each blob (REAPI rule 117). */
void server_missing(struct listen_call *c, struct arena *a, const char *what,
		    const struct digest_list *missing);
/* The same as a status; strings in the arena. */
void server_missing_status(struct arena *a, const char *what, const struct digest_list *missing,
			   struct wire_status *out);
void server_reply(struct listen_call *c, struct rx_buf *body); /* takes the buffer */

/* Request checks; they finish the call when they return false. */
bool server_check_instance(struct listen_call *c, const char *instance);
bool server_check_digest(struct listen_call *c, const struct digest *d);
/* All of one supported function (REAPI rule 28). */
bool server_check_digests(struct listen_call *c, const struct wire_digests *digests);
bool server_check_writable(struct listen_call *c);

/* ac_service.c. A result with all its outputs in the store, or no hit; wanted parts inlined,
 * packed. */
struct inline_wishes {
	bool stdout_raw, stderr_raw;
	const char **files;
	size_t n_files;
};
bool ac_lookup(struct store *s, const char *instance, const struct digest *action,
	       const struct inline_wishes *wishes, struct arena *a, struct result *out,
	       struct rx_buf *packed, bool *hit, struct rx_err *err);
/* Fills in what is wished for, as far as LIMIT_INLINE_BYTES goes (REAPI rule 109). */
bool ac_inline(struct store *s, const struct inline_wishes *wishes, struct arena *a,
	       struct result *r, bool *changed, struct rx_err *err);

/* bytestream_write.c. Drops what broken uploads left, all of it or what is too old; tells when to
 * look again, 0 = never. */
void uploads_free(struct server *s);
int64_t uploads_tidy(struct server *s);

/* server_watch.c */
#define SERVER_SCRATCH                                                                             \
	".remex-actions-" /* beside the store; the actions' directories are below it */
void server_watch_init(struct server *s);
RX_MUST_USE bool server_watch_start(struct server *s, struct rx_err *err);
void server_watch_stop(struct server *s);
/* With the lock held: something came to an end, or is about to begin. */
void server_touched(struct server *s);

/* The methods of each service; n is set. */
const struct listen_method *capabilities_methods(size_t *n);
const struct listen_method *cas_methods(size_t *n);
const struct listen_method *tree_methods(size_t *n);
const struct listen_method *download_methods(size_t *n);
const struct listen_method *upload_methods(size_t *n);
const struct listen_method *ac_methods(size_t *n);
const struct listen_method *execution_methods(size_t *n);
