/* call_core: what the three kinds of client calls share; private to this room.
 *
 * A call is embedded first in its kind's struct. Tags outstanding are counted in `pending`; the
 * object may go when it is 0. Everything below `lock` is guarded by it. */
#pragma once

#include <pthread.h>

#include "call.h"
#include "op.h"
#include "rpc_bytes.h"

struct call {
	struct loop *loop;
	struct loop_live live; /* live.call is the gRPC call */
	char *method;          /* last segment of the path, for messages */
	grpc_metadata *headers;
	size_t n_headers;
	int64_t timeout_ms;
	uint32_t flags; /* of the initial metadata */
	char *refused;  /* why the call was never started */

	/* Filled by gRPC. */
	grpc_metadata_array initial, trailing;
	grpc_status_code code;
	grpc_slice text;
	const char *debug;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned pending;
	bool silent; /* cancelled by us after timeout_ms without an event */
};

void call_init(struct call *c, struct channel *ch, const char *method, const struct call_options *o,
	       bool whole_deadline);
/* After the last tag. */
void call_release(struct call *c);
void call_batch(struct call *c, const grpc_op *ops, size_t n, struct op *op);

grpc_op call_op(grpc_op_type type);
grpc_op call_op_headers(const struct call *c);
grpc_op call_op_initial(struct call *c);
grpc_op call_op_status(struct call *c);
grpc_op call_op_send(grpc_byte_buffer *message);
grpc_op call_op_receive(grpc_byte_buffer **message);

/* With the lock held: waits until *a or *b (may be NULL); cancels the call after timeout_ms of
 * waiting and then waits on. */
void call_wait(struct call *c, const bool *a, const bool *b);
/* Cancels when asked, waits for the last tag. */
void call_drain(struct call *c, bool cancel);

/* Fills status (may be NULL, copied into a) and, unless OK, err. Returns whether it is OK. */
bool call_report(const struct call *c, bool lacks_reply, struct arena *a, struct rpc_status *status,
		 struct rx_err *err);
