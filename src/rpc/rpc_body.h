/* rpc_body: the bytes of one outgoing message as owned pieces, so that a blob's buffer travels
 * without being copied.
 *
 * A release function runs exactly once, on any thread, at the latest when the call is over; it must
 * not call into this room. */
#pragma once

#include "buf.h"

#define RPC_BODY_PIECES 4
struct rpc_piece {
	void *p;
	size_t n;
	void (*release)(void *ctx); /* NULL: p is copied at once and stays the caller's */
	void *ctx;
};
struct rpc_body {
	struct rpc_piece v[RPC_BODY_PIECES];
	size_t n;
};

/* A body whose single piece is copied. */
struct rpc_body rpc_body_copy(struct rx_view bytes);
/* Takes the buffer's memory; b is empty afterwards. */
struct rpc_body rpc_body_take(struct rx_buf *b);
/* Releases pieces of a body that was never handed over. Every send function takes the body over,
 * also on failure. */
void rpc_body_release(struct rpc_body *body);
size_t rpc_body_size(const struct rpc_body *body);
