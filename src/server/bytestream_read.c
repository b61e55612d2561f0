/* bytestream_read: ByteStream.Read: blobs in pieces, checked on the way out. */
#include <unistd.h>

#include "file.h"
#include "server_parts.h"
#include "wire_bytestream.h"

#define CHUNK        (1 << 20)
#define CHUNKS_AHEAD 2

struct download {
	struct digest digest;
	int fd; /* of blobs over one chunk */
	int64_t at, end;
	/* A read of everything is hashed on its way (REAPI rule 76 asks clients to, too); the last
	 * piece leaves only when the hash is right. */
	struct hash *hash;
	bool done;
};

static void download_free(struct download *d)
{
	if (!d)
		return;
	file_close(&d->fd);
	hash_free(d->hash);
	free(d);
}

static void send_data(struct listen_call *c, struct rx_buf *data)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf header = { 0 };
	struct rpc_body rest, body;

	wire_read_response_add_header(&header, data->n);
	body = rpc_body_copy(rx_view_of(&header));
	rest = rpc_body_take(data);
	for (size_t i = 0; i < rest.n; i++)
		body.v[body.n++] = rest.v[i];
	listen_send(c, body);
}

static void finish(struct listen_call *c, struct download *d)
{
	d->done = true;
	listen_finish(c, RPC_OK, "", (struct rx_view){ 0 });
}

static bool hash_is_right(struct download *d)
{
	struct digest got = { .function = d->digest.function, .size = d->digest.size };

	got.len = (uint8_t)hash_end(d->hash, got.hash);
	return digest_eq(&got, &d->digest);
}

/* The next piece; false when the call is over. */
static bool send_piece(struct listen_call *c, struct download *d)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf piece = { .max = CHUNK };
	size_t want = (size_t)RX_MIN(d->end - d->at, (int64_t)CHUNK), got = 0;
	char text[DIGEST_TEXT_MAX];
	bool ok = file_pread(d->fd, rx_buf_reserve(&piece, want), want, d->at, &got, &err);

	if (!ok) {
		rx_buf_release(&piece);
		server_fail(c, &err);
		return false;
	}
	rx_buf_grew(&piece, got);
	d->at += (int64_t)got;
	if (d->hash)
		hash_add(d->hash, piece.p, got);
	if (got < want || (d->hash && d->at == d->end && !hash_is_right(d))) {
		rx_buf_release(&piece);
		store_drop(s->store, &d->digest, d->fd);
		digest_format(&d->digest, text);
		server_refuse(c, RPC_DATA_LOSS, "blob %s was damaged on disk and is dropped", text);
		return false;
	}
	send_data(c, &piece);
	return true;
}

static void pump(struct listen_call *c)
{
	struct download *d = listen_data(c);

	while (d && !d->done && !listen_cancelled(c) && listen_queued(c) < CHUNKS_AHEAD) {
		if (d->at == d->end)
			finish(c, d);
		else if (!send_piece(c, d))
			d->done = true;
	}
}

/* A blob that fits into one piece is checked before anything leaves: a damaged one is absent. */
static void send_small(struct listen_call *c, const struct resource *r, int64_t at, int64_t end)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf bytes = { .max = CHUNK };

	if (!store_read(s->store, &r->digest, CHUNK, &bytes, &err)) {
		rx_buf_release(&bytes);
		server_fail(c, &err);
		return;
	}
	if (at == 0 && end == r->digest.size && bytes.n) {
		send_data(c, &bytes);
	} else if (end > at) {
		struct rx_buf part = { .max = CHUNK };

		rx_buf_add(&part, bytes.p + at, (size_t)(end - at));
		send_data(c, &part);
	}
	rx_buf_release(&bytes);
	listen_finish(c, RPC_OK, "", (struct rx_view){ 0 });
}

static bool check_request(struct listen_call *c, const struct wire_read_request *m,
			  struct resource *r)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	if (!resource_parse(listen_arena(c), rx_view_str(m->resource), r, &err)) {
		server_fail(c, &err);
		return false;
	}
	if (r->upload || r->compressor != COMPRESSOR_IDENTITY) {
		server_refuse(c, RPC_INVALID_ARGUMENT,
			      r->upload ? "'%s' is the name of an upload"
					: "'%s': this server has no compressed blobs",
			      m->resource);
		return false;
	}
	if (!server_check_instance(c, r->instance) || !server_check_digest(c, &r->digest))
		return false;
	if (m->offset < 0 || m->offset > r->digest.size) { /* REAPI rule 71 */
		server_refuse(c, RPC_OUT_OF_RANGE, "read_offset %" PRId64 " is not in 0..%" PRId64,
			      m->offset, r->digest.size);
		return false;
	}
	if (m->limit < 0) { /* REAPI rule 72 */
		server_refuse(c, RPC_INVALID_ARGUMENT, "read_limit is negative");
		return false;
	}
	return true;
}

static void read_blob(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct wire_read_request m;
	char text[DIGEST_TEXT_MAX];
	struct resource r;
	struct download *d;
	int64_t end;
	int fd;

	if (!wire_read_request_unpack(listen_arena(c), msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!check_request(c, &m, &r))
		return;
	end = r.digest.size;
	if (m.limit && m.limit < end - m.offset)
		end = m.offset + m.limit;
	if (r.digest.size <= CHUNK) {
		send_small(c, &r, m.offset, end);
		return;
	}
	fd = store_open(s->store, &r.digest, &err);
	if (fd < 0 && err.code != RX_OK) {
		server_fail(c, &err);
		return;
	}
	if (fd < 0) {
		digest_format(&r.digest, text);
		server_refuse(c, RPC_NOT_FOUND, "blob %s is not in the store", text);
		return;
	}
	d = xcalloc(1, sizeof(*d));
	*d = (struct download){ .digest = r.digest, .fd = fd, .at = m.offset, .end = end };
	if (d->at == 0 && end == r.digest.size) {
		d->hash = hash_new();
		hash_begin(d->hash, digest_hash_kind((enum digest_function)r.digest.function), end);
	}
	listen_set_data(c, d);
	pump(c);
}

static void closed(struct listen_call *c)
{
	download_free(listen_data(c));
	server_closed(c);
}

const struct listen_method *download_methods(size_t *n)
{
	static const struct listen_method methods[] = {
		{ .path = WIRE_BYTESTREAM "Read",
		  .start = server_started,
		  .message = read_blob,
		  .writable = pump,
		  .closed = closed },
	};

	*n = RX_COUNT(methods);
	return methods;
}
