/* rpc_bytes: between our bytes and gRPC's byte buffers; private to this room. */
#pragma once

#include <grpc/byte_buffer.h>

#include "arena.h"
#include "rpc_body.h"

/* Empties body. The caller destroys the buffer, which releases the pieces. */
grpc_byte_buffer *rpc_bytes_from(struct rpc_body *body);
/* Without a copy when the message arrived in one piece, else joined in *joined, which grows and is
 * the caller's to free. Valid as long as both. */
struct rx_view rpc_bytes_view(grpc_byte_buffer *b, char **joined, size_t *cap);
struct rx_view rpc_bytes_copy(grpc_byte_buffer *b, struct arena *a);
/* NULL is fine. */
void rpc_bytes_free(grpc_byte_buffer *b);
