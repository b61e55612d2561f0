/* listen: the server side. Handlers run on a pool, never on the loop, one at a time for each call,
 * so a handler may read files but a call that waits (an Execute stream) holds no thread.
 *
 * Life of a call: start -> message* -> half_close -> ... -> closed. The handler answers with
 * listen_send and listen_finish at any time from any thread between start and closed. `closed`
 * comes exactly once, last, also when the client went away; only then `data` may be freed.
 *
 * Other threads that use a call while its `closed` may be running hold a listen_ref. After `closed`
 * (and after listen_finish, for sends) everything below does nothing and releases what it was
 * given. */
#pragma once

#include "loop.h"
#include "pool.h"
#include "rpc_body.h"
#include "rpc_status.h"

struct listen_call;
struct listen_method {
	const char *path; /* "/google.bytestream.ByteStream/Write" */
	bool (*start)(
		struct listen_call *c); /* may be NULL; false = it has finished the call itself */
	/* One message, valid until it returns. The next one is read after that, unless it called
	 * listen_hold; without a half_close handler only the first is ever read. */
	void (*message)(struct listen_call *c, struct rx_view msg);
	void (*half_close)(struct listen_call *c); /* may be NULL: unary and server-stream calls
						      answer in message */
	void (*writable)(struct listen_call *c);   /* the last listen_send has left; may be NULL */
	void (*closed)(struct listen_call *c);     /* may be NULL */
};

struct listen_options {
	const char *unix_path; /* either this (mode 0600, peers of other users refused), */
	const char *address;   /* or HOST:PORT (port 0 = any) */
	const char *tls_cert, *tls_key,
		*tls_client_ca; /* PEM files; client_ca = certificates demanded */
	int64_t max_receive;    /* largest message; 0 = LISTEN_MAX_RECEIVE */
	/* Somebody of ours connected to the unix socket; gets the listener's ctx, may be NULL. */
	void (*connected)(void *ctx);
	unsigned max_calls; /* live at once, 0 = LISTEN_MAX_CALLS; more are answered
				   RESOURCE_EXHAUSTED */
};
#define LISTEN_MAX_RECEIVE (4 << 20)
#define LISTEN_MAX_CALLS   4096

struct listener;
/* Unknown methods are answered UNIMPLEMENTED. methods and ctx must outlive the listener. */
struct listener *listen_new(struct loop *l, struct pool *pool, const struct listen_options *o,
			    const struct listen_method *methods, size_t n, void *ctx,
			    struct rx_err *err);
int listen_port(const struct listener *l); /* 0 for unix sockets */
/* Takes the unix socket's name away, or gives it back; connections stay, and those that were made
 * just before are still accepted. Does nothing for TCP. */
void listen_hide(struct listener *l, bool hidden);
/* No new calls; live ones get grace_ms, then are cancelled; returns when all closed. Neither from a
 * handler nor from the loop. The pool and the loop outlive it. NULL is fine. */
void listen_free(struct listener *l, int64_t grace_ms);

void *listen_ctx(const struct listen_call *c); /* what listen_new was given */
const struct listen_method *listen_method_of(const struct listen_call *c);
void *listen_data(const struct listen_call *c); /* the handler's own */
void listen_set_data(struct listen_call *c, void *data);
struct arena *
listen_arena(struct listen_call *c); /* lives as long as the call; only from within handlers */
/* Request header; raw bytes for "-bin" names; empty when absent. */
struct rx_view listen_header(const struct listen_call *c, const char *name);
const char *listen_peer(const struct listen_call *c);
bool listen_peer_authenticated(
	const struct listen_call *c); /* unix socket of the same user, or a client certificate */
bool listen_cancelled(const struct listen_call *c);

void listen_send(struct listen_call *c, struct rpc_body msg); /* queued in order; never blocks */
size_t listen_queued(const struct listen_call *c);            /* messages not yet sent */
/* Ends the call after what is queued. details (a serialized google.rpc.Status) may be empty; many
 * clients refuse trailers over 8 KiB, so the message is cut at 2000 bytes. Later sends and finishes
 * are ignored. */
void listen_finish(struct listen_call *c, int code, const char *message, struct rx_view details);
void listen_reply(struct listen_call *c, struct rpc_body msg); /* send and finish OK */
/* Stops reading until listen_resume: back-pressure for a handler that passes the message on. */
void listen_hold(struct listen_call *c);
void listen_resume(struct listen_call *c);
/* Keeps c valid past `closed` (its calls then do nothing) until listen_unref: for operations that
 * outlive streams. */
void listen_ref(struct listen_call *c);
void listen_unref(struct listen_call *c);
