/* rpc_bytes: pieces become reference-counted slices, slices become views. */
#include "rpc_bytes.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>

#include "op.h"

struct piece_owner {
	void (*release)(void *ctx);
	void *ctx;
};

static void piece_done(void *arg)
{
	OP_TAKEN(arg);
	struct piece_owner *o = arg;

	o->release(o->ctx);
	free(o);
}

static grpc_slice slice_of(struct rpc_piece *p)
{
	if (!p->release)
		return grpc_slice_from_copied_buffer(p->p, p->n);
	struct piece_owner *o = xmalloc(sizeof(*o));

	o->release = p->release;
	o->ctx = p->ctx;
	OP_HANDED(o);
	return grpc_slice_new_with_user_data(p->p, p->n, piece_done, o);
}

grpc_byte_buffer *rpc_bytes_from(struct rpc_body *body)
{
	grpc_slice v[RPC_BODY_PIECES];
	size_t n = 0;

	for (size_t i = 0; i < body->n; i++) {
		struct rpc_piece *p = &body->v[i];

		if (p->n)
			v[n++] = slice_of(p);
		else if (p->release)
			p->release(p->ctx);
	}
	body->n = 0;
	grpc_byte_buffer *b = grpc_raw_byte_buffer_create(v, n);

	for (size_t i = 0; i < n; i++)
		grpc_slice_unref(v[i]);
	return b;
}

/* Copies every slice behind each other; out holds grpc_byte_buffer_length bytes. */
static void join(grpc_byte_buffer *b, char *out)
{
	grpc_byte_buffer_reader r;
	grpc_slice *s;

	if (!grpc_byte_buffer_reader_init(&r, b))
		return;
	while (grpc_byte_buffer_reader_peek(&r, &s)) {
		memcpy(out, GRPC_SLICE_START_PTR(*s), GRPC_SLICE_LENGTH(*s));
		out += GRPC_SLICE_LENGTH(*s);
	}
	grpc_byte_buffer_reader_destroy(&r);
}

struct rx_view rpc_bytes_view(grpc_byte_buffer *b, char **joined, size_t *cap)
{
	size_t n = grpc_byte_buffer_length(b);
	grpc_byte_buffer_reader r;
	grpc_slice *s;

	if (!n)
		return RX_VIEW("");
	if (grpc_byte_buffer_reader_init(&r, b)) {
		bool whole = grpc_byte_buffer_reader_peek(&r, &s) && GRPC_SLICE_LENGTH(*s) == n;

		grpc_byte_buffer_reader_destroy(&r);
		if (whole) /* peek points into the buffer itself */
			return (struct rx_view){ (const char *)GRPC_SLICE_START_PTR(*s), n };
	}
	if (n > *cap) {
		free(*joined);
		*joined = xmalloc(n);
		*cap = n;
	}
	join(b, *joined);
	return (struct rx_view){ *joined, n };
}

struct rx_view rpc_bytes_copy(grpc_byte_buffer *b, struct arena *a)
{
	size_t n = grpc_byte_buffer_length(b);

	if (!n)
		return RX_VIEW("");
	char *p = arena_alloc(a, n);

	join(b, p);
	return (struct rx_view){ p, n };
}

void rpc_bytes_free(grpc_byte_buffer *b)
{
	if (b)
		grpc_byte_buffer_destroy(b);
}
