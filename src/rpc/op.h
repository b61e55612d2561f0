/* op: what a completion queue tag points to, and the loop's inside; private to this room. */
#pragma once

#include <grpc/grpc.h>

#include "loop.h"

/* Embedded in the object that waits for it; fn runs on the loop thread. */
struct op {
	void (*fn)(struct op *op, bool ok);
};

/* gRPC is not instrumented, so ThreadSanitizer has to be told that what was written before a batch
 * was started is seen when its tag comes back. */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *p);
void __tsan_release(void *p);
#define OP_HANDED(p) __tsan_release(p)
#define OP_TAKEN(p)  __tsan_acquire(p)
#else
#define OP_HANDED(p) ((void)(p))
#define OP_TAKEN(p)  ((void)(p))
#endif

/* Starts a batch. The caller has made sure that it is legal: anything else is a bug of this room,
 * and ends the program. */
void op_batch(grpc_call *call, const grpc_op *ops, size_t n, struct op *op);

grpc_completion_queue *loop_queue(struct loop *l);
/* fn(op, true) on the loop thread, soon. Any thread. */
void loop_post(struct loop *l, struct op *op);

/* Client calls that loop_cancel_all and loop_free must find. */
struct loop_live {
	struct loop_live *prev, *next;
	grpc_call *call;
};
void loop_enter(struct loop *l, struct loop_live *live);
/* Leaving is in two steps, so that loop_free waits until the call's memory is gone too. */
void loop_unlink(struct loop *l, struct loop_live *live);
void loop_left(struct loop *l);
