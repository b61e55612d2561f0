/* bytestream: Write and Read with resumption; what arrives is hashed as it comes. */
#include "bytestream.h"

#include <inttypes.h>

#include "attempt.h"
#include "client_state.h"
#include "file.h"
#include "log.h"
#include "utf8.h"
#include "wire_bytestream.h"
#include "wire_execution.h"

#define READ           WIRE_BYTESTREAM "Read"
#define WRITE          WIRE_BYTESTREAM "Write"
#define QUERY          WIRE_BYTESTREAM "QueryWriteStatus"
#define CHUNKS         3      /* one leaving, one being filled, one whose release lags */
#define EMPTY_MESSAGES 100000 /* in a row; more is not an answer (REAPI rule 73 allows some) */

/* A buffer on its way out; gRPC lets go of it at a time of its own. */
struct chunk {
	atomic_int refs;
	char bytes[BYTESTREAM_CHUNK];
};

static void chunk_unref(void *p)
{
	struct chunk *k = p;

	if (atomic_fetch_sub(&k->refs, 1) == 1)
		free(k);
}

struct upload {
	struct client *c;
	const struct digest *d;
	const struct bytestream_input *in;
	struct attempt t;
	struct chunk *chunks[CHUNKS];
	char uuid[37];
	struct rx_buf name;
	int64_t offset;      /* where the next try starts */
	bool refused_resume; /* the server takes no first offset but 0 */
};

static void upload_rename(struct upload *u)
{
	uuid_v4(u->uuid);
	rx_buf_reset(&u->name);
	resource_add_upload(&u->name, client_instance(u->c), u->uuid, COMPRESSOR_IDENTITY, u->d);
	u->offset = 0;
}

static void upload_release(struct upload *u)
{
	for (size_t i = 0; i < CHUNKS; i++) {
		if (u->chunks[i])
			chunk_unref(u->chunks[i]);
	}
	rx_buf_release(&u->name);
}

/* A chunk that gRPC does not hold, with a reference for the message to come. */
static struct chunk *upload_chunk(struct upload *u)
{
	size_t i = 0;

	while (i + 1 < CHUNKS && u->chunks[i] && atomic_load(&u->chunks[i]->refs) > 1)
		i++;
	if (!u->chunks[i] || atomic_load(&u->chunks[i]->refs) > 1) {
		if (u->chunks[i])
			chunk_unref(u->chunks[i]);
		u->chunks[i] = xmalloc(sizeof(struct chunk));
		atomic_init(&u->chunks[i]->refs, 1);
	}
	atomic_fetch_add(&u->chunks[i]->refs, 1);
	return u->chunks[i];
}

/* Fills a message body with data at offset. */
static bool upload_message(struct upload *u, int64_t offset, bool first, struct rpc_body *out,
			   size_t *n_out, struct rx_err *err)
{
	size_t n = (size_t)RX_MIN(u->d->size - offset, (int64_t)BYTESTREAM_CHUNK), got = n;
	struct chunk *k = upload_chunk(u);
	struct rx_buf head = { 0 };

	if (u->in->fd < 0) {
		memcpy(k->bytes, u->in->bytes.p + offset, n);
	} else if (n && !file_pread(u->in->fd, k->bytes, n, offset, &got, err)) {
		chunk_unref(k);
		return false;
	}
	if (got != n) {
		chunk_unref(k);
		return rx_fail(err, RX_EIO,
			       "the file changed while it was uploaded: it ends at %" PRId64
			       " of %" PRId64 " bytes",
			       offset + (int64_t)got, u->d->size);
	}
	wire_write_request_add_header(
		&(struct wire_write_request){ .resource = first ? rx_buf_str(&u->name) : NULL,
					      .offset = offset,
					      .finish = offset + (int64_t)n == u->d->size },
		n, &head);
	*out = rpc_body_take(&head);
	out->v[out->n++] =
		(struct rpc_piece){ .p = k->bytes, .n = n, .release = chunk_unref, .ctx = k };
	*n_out = n;
	return true;
}

/* Sends from u->offset on. False with err set: not worth another try; with err clear: see status.
 */
static bool upload_try(struct upload *u, struct rpc_status *status, struct arena *a,
		       struct rx_err *err)
{
	RX_CLEANUP(rx_err_release) struct rx_err rpc_err = { 0 };
	struct call_options o;
	struct call_writer *w;
	struct rx_view reply = { 0 };
	int64_t at = u->offset, committed = 0;
	bool ok = true, whole = false;

	if (!client_call_options(u->c, CLIENT_CAS, a, &o, err))
		return false;
	w = call_write(client_channel(u->c, CLIENT_CAS), WRITE, &o);
	for (bool first = true; !whole && !rx_cancelled(); first = false) {
		struct rpc_body body;
		size_t n = 0;

		if (!upload_message(u, at, first, &body, &n, err)) {
			call_write_free(w);
			return false;
		}
		/* REAPI rules 87, 91: a refused message may mean that the answer is there. */
		if (!call_write_send(w, body))
			break;
		at += (int64_t)n;
		whole = at == u->d->size;
	}
	ok = !rx_cancelled() && call_write_end(w, a, &reply, status, &rpc_err);
	call_write_free(w);
	if (rx_cancelled())
		return rx_fail(err, RX_ECANCEL, "stopped");
	if (!ok)
		return status->code == RPC_ALREADY_EXISTS;
	if (!wire_write_response_unpack(reply, &committed, err))
		return attempt_wrap(&u->t, err);
	if (committed == u->d->size || committed == -1)
		return true;
	/* REAPI rule 90 */
	*status = (struct rpc_status){
		.code = RPC_UNKNOWN,
		.message = arena_printf(a, "the server committed %lld of %lld bytes",
					(long long)committed, (long long)u->d->size),
	};
	return false;
}

/* REAPI rules 94-96: where to go on. False: from the start, under another name. */
static bool upload_ask(struct upload *u)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf req = { 0 };
	struct rpc_status status = { 0 };
	struct call_options o;
	struct rx_view reply;
	int64_t committed;
	bool complete;

	if (u->refused_resume || atomic_load(&u->c->no_query) ||
	    !client_call_options(u->c, CLIENT_CAS, &a, &o, &err))
		return false;
	wire_name_pack(rx_buf_str(&u->name), &req);
	if (!call_unary(client_channel(u->c, CLIENT_CAS), QUERY, rpc_body_take(&req), &o, &a,
			&reply, &status, &err)) {
		if (status.code == RPC_UNIMPLEMENTED)
			atomic_store(&u->c->no_query, true);
		return false;
	}
	if (!wire_query_response_unpack(reply, &committed, &complete, &err))
		return false;
	if (complete)
		committed = u->d->size;
	if (committed < 0 || committed > u->d->size)
		return false;
	if (committed > u->offset)
		retry_progress(&u->t.retry); /* REAPI rule 151 */
	u->offset = committed;
	rx_debug("Write: going on at %lld of %lld bytes", (long long)committed,
		 (long long)u->d->size);
	return true;
}

static bool is_resume_refusal(int code)
{
	/* REAPI rule 98: seen as UNKNOWN and INVALID_ARGUMENT */
	return code == RPC_INVALID_ARGUMENT || code == RPC_OUT_OF_RANGE || code == RPC_UNKNOWN ||
	       code == RPC_FAILED_PRECONDITION || code == RPC_UNIMPLEMENTED;
}

bool bytestream_write(struct client *c, const struct digest *d, const struct bytestream_input *in,
		      struct rx_err *err)
{
	RX_CLEANUP(upload_release)
	struct upload u = { .c = c, .d = d, .in = in, .name.max = RESOURCE_NAME_MAX };

	attempt_init(&u.t, c, CLIENT_CAS, WRITE);
	if (in->fd < 0 && (int64_t)in->bytes.n != d->size)
		return rx_fail(err, RX_EDIGEST, "%zu bytes are not the blob's %lld", in->bytes.n,
			       (long long)d->size);
	upload_rename(&u);
	for (;;) {
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		struct rpc_status status = { .message = "" };

		if (upload_try(&u, &status, &a, err)) {
			atomic_fetch_add(&c->uploaded_bytes, d->size);
			atomic_fetch_add(&c->uploaded_blobs, 1);
			return true;
		}
		if (err->code != RX_OK)
			return false;
		if (u.offset > 0 && !u.refused_resume && is_resume_refusal(status.code)) {
			u.refused_resume = true;
			upload_rename(&u);
			continue;
		}
		if (!attempt_again(&u.t, &status))
			return attempt_fail(&u.t, &status, err);
		if (!upload_ask(&u))
			upload_rename(&u);
	}
}

struct download {
	struct client *c;
	const struct digest *d;
	bool (*write)(void *ctx, struct rx_view bytes, struct rx_err *err);
	void *ctx;
	struct attempt t;
	struct hash *hash;
	int64_t got;     /* bytes handed on */
	bool from_start; /* the server cannot resume: what was handed on is skipped */
};

static void download_release(struct download *r)
{
	hash_free(r->hash);
}

enum step { STEP_DONE, STEP_MISSING, STEP_AGAIN, STEP_STOP };

static enum step download_bytes(struct download *r, int64_t *at, struct rx_view data,
				struct rx_err *err)
{
	if ((int64_t)data.n > r->d->size - *at) {
		char text[DIGEST_TEXT_MAX];

		digest_format(r->d, text);
		rx_fail(err, RX_EDIGEST, "the server sends more bytes than blob %s has", text);
		attempt_wrap(&r->t, err);
		return STEP_STOP;
	}
	if (*at < r->got) {
		size_t skip = (size_t)RX_MIN(r->got - *at, (int64_t)data.n);

		*at += (int64_t)skip;
		data = (struct rx_view){ data.p + skip, data.n - skip };
	}
	if (!data.n)
		return STEP_DONE;
	hash_add(r->hash, data.p, data.n);
	*at += (int64_t)data.n;
	r->got = *at;
	return r->write(r->ctx, data, err) ? STEP_DONE : STEP_STOP;
}

static enum step download_try(struct download *r, struct rpc_status *status, struct arena *a,
			      struct rx_err *err)
{
	RX_CLEANUP(rx_err_release) struct rx_err rpc_err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf name = { .max = RESOURCE_NAME_MAX };
	struct rx_buf req = { 0 };
	int64_t at = r->from_start ? 0 : r->got, before = r->got;
	struct call_options o;
	struct call_reader *reader;
	enum step step = STEP_DONE;
	size_t empty = 0;
	bool ended = false;

	if (!client_call_options(r->c, CLIENT_CAS, a, &o, err))
		return STEP_STOP;
	resource_add_download(&name, client_instance(r->c), COMPRESSOR_IDENTITY, r->d);
	wire_read_request_pack(
		&(struct wire_read_request){ .resource = rx_buf_str(&name), .offset = at }, &req);
	reader = call_read(client_channel(r->c, CLIENT_CAS), READ, rpc_body_take(&req), &o);
	while (step == STEP_DONE && !ended) {
		struct rx_view msg, data;

		switch (call_read_next(reader, &msg, a, status, &rpc_err)) {
		case CALL_MESSAGE:
			if (rx_cancelled()) {
				rx_fail(err, RX_ECANCEL, "stopped");
				step = STEP_STOP;
			} else if (!wire_read_response_unpack(msg, &data, err)) {
				attempt_wrap(&r->t, err);
				step = STEP_STOP;
			} else if (data.n) {
				empty = 0;
				step = download_bytes(r, &at, data, err);
			} else if (++empty > EMPTY_MESSAGES) {
				*status = (struct rpc_status){
					RPC_UNKNOWN, "the server sends empty messages only", { 0 }
				};
				step = STEP_AGAIN;
			}
			break;
		case CALL_ENDED:
			ended = true;
			break;
		case CALL_FAILED:
			step = STEP_AGAIN;
			break;
		}
	}
	call_read_free(reader);
	if (r->got > before)
		retry_progress(&r->t.retry);
	if (ended && at < r->d->size) {
		/* REAPI rule 74: an end that comes too early is a break. */
		*status = (struct rpc_status){
			.code = RPC_UNKNOWN,
			.message = arena_printf(a, "the stream ended after %lld of %lld bytes",
						(long long)at, (long long)r->d->size),
		};
		return STEP_AGAIN;
	}
	if (step == STEP_AGAIN && status->code == RPC_NOT_FOUND)
		return STEP_MISSING;
	return step;
}

bool bytestream_read(struct client *c, const struct digest *d,
		     bool (*write)(void *ctx, struct rx_view bytes, struct rx_err *err), void *ctx,
		     bool *missing_out, struct rx_err *err)
{
	RX_CLEANUP(download_release)
	struct download r = { .c = c, .d = d, .write = write, .ctx = ctx, .hash = hash_new() };
	struct digest seen = { .function = d->function, .size = d->size };
	enum digest_function f = (enum digest_function)d->function;
	char text[DIGEST_TEXT_MAX];

	if (!digest_function_supported(f))
		return rx_fail(err, RX_EUSAGE, "digest function %s cannot be verified here",
			       digest_function_name(f));
	attempt_init(&r.t, c, CLIENT_CAS, READ);
	hash_begin(r.hash, digest_hash_kind(f), d->size);
	for (bool done = d->size == 0; !done;) {
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		struct rpc_status status = { .message = "" };

		switch (download_try(&r, &status, &a, err)) {
		case STEP_DONE:
			done = true;
			break;
		case STEP_MISSING:
			*missing_out = true;
			return true;
		case STEP_STOP:
			return false;
		case STEP_AGAIN:
			if (r.got > 0 && !r.from_start && is_resume_refusal(status.code) &&
			    !retry_code_is_transient(status.code)) {
				r.from_start = true;
				break;
			}
			if (attempt_again(&r.t, &status))
				break;
			attempt_fail(&r.t, &status, err);
			digest_short(d, text);
			if (err->code != RX_ECANCEL)
				rx_hint(err, "blob %s", text);
			return false;
		}
	}
	seen.len = (uint8_t)hash_end(r.hash, seen.hash);
	if (!digest_eq(&seen, d)) {
		digest_format(d, text);
		rx_fail(err, RX_EDIGEST, "what came is not blob %s", text);
		return attempt_wrap(&r.t, err);
	}
	atomic_fetch_add(&c->downloaded_bytes, d->size);
	atomic_fetch_add(&c->downloaded_blobs, 1);
	*missing_out = false;
	return true;
}
