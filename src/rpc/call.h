/* call: the client side of calls, of three kinds: unary, reading (server streams), writing (client
 * streams).
 *
 * Blocking functions may be called from any thread but the loop's. A call object belongs to one
 * thread at a time; call_cancel alone may come from another. Nothing is retried here. Transport
 * errors fill both *err (RX_ERPC: "Method: CODE: message") and *status (when asked for), allocated
 * in the arena given. Method is the last segment of the path; who calls adds the host.
 *
 * The silence on a stream is measured while somebody waits for it: a consumer that pauses is not
 * the server's fault. It ends the call with DEADLINE_EXCEEDED "no message for 1m". Illegal headers
 * fail the call with INVALID_ARGUMENT without sending anything. */
#pragma once

#include "channel.h"
#include "rpc_body.h"
#include "rpc_status.h"

struct call_header {
	const char *name; /* lower case; "-bin" names carry raw bytes */
	struct rx_view value;
};
struct call_options {
	const struct call_header *headers; /* copied at start */
	size_t n_headers;
	int64_t timeout_ms;  /* whole call for unary; for streams the longest silence between
				messages; 0 = CALL_TIMEOUT */
	bool wait_for_ready; /* wait for a connection until the deadline instead of failing fast */
};
#define CALL_TIMEOUT_MS 60000

/* Sends req, waits for the one reply. reply is in the arena. */
RX_MUST_USE bool call_unary(struct channel *c, const char *method, struct rpc_body req,
			    const struct call_options *o, struct arena *a, struct rx_view *reply,
			    struct rpc_status *status, struct rx_err *err);

/* The same without waiting: done runs on the loop thread exactly once, with status and reply valid
 * during it only. */
struct call_reply {
	struct rpc_status status;
	struct rx_view bytes; /* when status.code is 0 */
};
void call_unary_start(struct channel *c, const char *method, struct rpc_body req,
		      const struct call_options *o,
		      void (*done)(void *ctx, const struct call_reply *reply), void *ctx);

/* Server streams. The next message is asked for only when the consumer comes for it. */
struct call_reader;
struct call_reader *call_read(struct channel *c, const char *method, struct rpc_body req,
			      const struct call_options *o);
enum call_next { CALL_MESSAGE, CALL_ENDED, CALL_FAILED };
/* msg is valid until the next call on this reader. CALL_ENDED = status OK. CALL_FAILED: err and
 * status (may be NULL). */
enum call_next call_read_next(struct call_reader *r, struct rx_view *msg, struct arena *a,
			      struct rpc_status *status, struct rx_err *err);
void call_read_cancel(struct call_reader *r); /* any thread */
void call_read_free(struct call_reader *r);   /* cancels when not ended */

/* Client streams. */
struct call_writer;
struct call_writer *call_write(struct channel *c, const char *method, const struct call_options *o);
/* Waits until the previous message has left (one outstanding). False: the server has already
 * answered or the call broke; the reason is what call_write_end tells (REAPI rule 91: read the
 * answer before calling it an error). */
RX_MUST_USE bool call_write_send(struct call_writer *w, struct rpc_body msg);
/* Half-closes and waits for the reply and the status. */
RX_MUST_USE bool call_write_end(struct call_writer *w, struct arena *a, struct rx_view *reply,
				struct rpc_status *status, struct rx_err *err);
void call_write_free(struct call_writer *w); /* cancels when not ended; NULL is fine */
