/* rpc_body: the pieces of an outgoing message before gRPC has them. */
#include "rpc_body.h"

struct rpc_body rpc_body_copy(struct rx_view bytes)
{
	struct rpc_body b = { .n = 1 };
	char *p = xmalloc(bytes.n + 1);

	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	b.v[0] = (struct rpc_piece){ .p = p, .n = bytes.n, .release = free, .ctx = p };
	return b;
}

struct rpc_body rpc_body_take(struct rx_buf *buf)
{
	struct rpc_body b = { .n = 1 };
	size_t n = buf->n;
	char *p = rx_buf_take(buf);

	b.v[0] = (struct rpc_piece){ .p = p, .n = n, .release = free, .ctx = p };
	return b;
}

void rpc_body_release(struct rpc_body *body)
{
	if (!body)
		return;
	for (size_t i = 0; i < body->n; i++) {
		if (body->v[i].release)
			body->v[i].release(body->v[i].ctx);
	}
	body->n = 0;
}

size_t rpc_body_size(const struct rpc_body *body)
{
	size_t n = 0;

	for (size_t i = 0; i < body->n; i++)
		n += body->v[i].n;
	return n;
}
