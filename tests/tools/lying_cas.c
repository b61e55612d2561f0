/* lying_cas: CAS and ByteStream of the lying server. */
#include "lying_inside.h"

#define CHUNK (256 << 10)

static bool bad_request(struct listen_call *c, struct rx_err *err)
{
	lying_fail(c, RPC_INVALID_ARGUMENT, rx_err_text(err));
	rx_err_release(err);
	return false;
}

void lying_find_missing(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct rx_buf out = { .max = 64 << 20 };
	struct digest_list missing = { 0 };
	struct wire_find m;

	if (lying_begin(c, msg))
		return;
	if (lying_lies(s, LIE_NO_FIND)) {
		lying_fail(c, RPC_UNIMPLEMENTED, "no FindMissingBlobs");
		return;
	}
	if (!wire_find_unpack(listen_arena(c), msg, &m, &err)) {
		bad_request(c, &err);
		return;
	}
	for (size_t i = 0; i < m.digests.n; i++) {
		if (!lying_has(s, &m.digests.v[i]))
			digest_list_add(&missing, &m.digests.v[i]);
	}
	if (lying_lies(s, LIE_FOREIGN_DIGESTS)) {
		struct digest d;

		digest_of(DIGEST_SHA256, "foreign", 7, &d);
		digest_list_add(&missing, &d);
	}
	if (lying_lies(s, LIE_ANY_ORDER)) {
		for (size_t i = 0; i < missing.n / 2; i++) {
			struct digest d = missing.v[i];

			missing.v[i] = missing.v[missing.n - 1 - i];
			missing.v[missing.n - 1 - i] = d;
		}
		if (missing.n) /* and one twice */
			digest_list_add(&missing, &missing.v[0]);
	}
	wire_missing_pack(&(struct wire_digests){ missing.v, missing.n }, &out);
	digest_list_release(&missing);
	lying_reply(c, &out);
}

/* True when the batch was refused as a whole. */
static bool refuse_batch(struct listen_call *c, struct lying *s, size_t bytes)
{
	if (lying_lies(s, LIE_NO_BATCH)) {
		lying_fail(c, RPC_UNIMPLEMENTED, "no batch calls");
		return true;
	}
	if ((int64_t)bytes > lying_n(s, LIE_BATCH_LIMIT_LIE) &&
	    lying_lies(s, LIE_BATCH_LIMIT_LIE)) {
		lying_fail(c, RPC_RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size");
		return true;
	}
	if ((int64_t)bytes > lying_n(s, LIE_BATCH_LIMIT_INVALID) &&
	    lying_lies(s, LIE_BATCH_LIMIT_INVALID)) {
		lying_fail(c, RPC_INVALID_ARGUMENT, "batch over the limit");
		return true;
	}
	if (bytes > 65536 && lying_lies(s, LIE_TINY_BATCH)) {
		lying_fail(c, RPC_INVALID_ARGUMENT, "batch over the limit");
		return true;
	}
	return false;
}

static void shape_statuses(struct lying *s, struct wire_blob_statuses *m)
{
	if (lying_lies(s, LIE_ANY_ORDER)) {
		for (size_t i = 0; i < m->n / 2; i++) {
			struct wire_blob_status e = m->v[i];

			m->v[i] = m->v[m->n - 1 - i];
			m->v[m->n - 1 - i] = e;
		}
	}
	if (m->n && lying_lies(s, LIE_MISSING_RESPONSE)) {
		m->v++;
		m->n--;
	}
}

void lying_batch_update(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct rx_buf out = { .max = 64 << 20 };
	struct wire_blob_statuses answer = { 0 };
	struct wire_update m;

	if (lying_begin(c, msg) || refuse_batch(c, s, msg.n))
		return;
	if (!wire_update_unpack(listen_arena(c), msg, &m, &err)) {
		bad_request(c, &err);
		return;
	}
	answer.v = ARENA_ARRAY(listen_arena(c), struct wire_blob_status, m.n + 1);
	for (size_t i = 0; i < m.n; i++) {
		struct wire_blob_status *e = &answer.v[answer.n++];

		e->digest = m.entries[i].digest;
		if (lying_lies(s, LIE_DISK_FULL)) {
			e->code = RPC_RESOURCE_EXHAUSTED;
			e->message = "disk full";
		} else if (lying_lies(s, LIE_ENTRY_INVALID)) {
			e->code = RPC_INVALID_ARGUMENT;
			e->message = "I do not like it";
		} else if (lying_lies(s, LIE_ENTRY_UNAVAILABLE)) {
			e->code = RPC_UNAVAILABLE;
			e->message = "not now";
		} else if (!m.entries[i].digest_ok ||
			   !lying_store(s, &e->digest, m.entries[i].data)) {
			e->code = RPC_INVALID_ARGUMENT;
			e->message = "data does not match the digest";
		}
	}
	shape_statuses(s, &answer);
	wire_update_reply_pack(&answer, &out);
	lying_reply(c, &out);
}

void lying_batch_read(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct rx_buf out = { .max = 64 << 20 };
	struct wire_blob_statuses answer = { 0 };
	struct wire_read m;
	size_t bytes = 0;

	if (lying_begin(c, msg))
		return;
	if (!wire_read_unpack(listen_arena(c), msg, &m, &err)) {
		bad_request(c, &err);
		return;
	}
	for (size_t i = 0; i < m.digests.n; i++)
		bytes += wire_read_reply_entry_size(&m.digests.v[i]);
	if (refuse_batch(c, s, bytes))
		return;
	answer.v = ARENA_ARRAY(listen_arena(c), struct wire_blob_status, m.digests.n + 1);
	for (size_t i = 0; i < m.digests.n; i++) {
		struct wire_blob_status *e = &answer.v[answer.n++];
		const struct lying_blob *b = lying_find(s, &m.digests.v[i]);

		e->digest = m.digests.v[i];
		if (!b || lying_lies(s, LIE_NOT_FOUND)) {
			e->code = RPC_NOT_FOUND;
			e->message = "not here";
			continue;
		}
		if (lying_lies(s, LIE_ENTRY_UNAVAILABLE)) {
			e->code = RPC_UNAVAILABLE;
			e->message = "not now";
			continue;
		}
		e->data = arena_view(listen_arena(c),
				     (struct rx_view){ b->bytes, (size_t)b->digest.size });
		if (lying_lies(s, LIE_WRONG_DIGEST))
			((char *)e->data.p)[0] ^= 1;
		if (lying_lies(s, LIE_UNASKED_ZSTD))
			e->compressor = COMPRESSOR_ZSTD;
	}
	shape_statuses(s, &answer);
	wire_read_reply_pack(&answer, &out);
	lying_reply(c, &out);
}

static struct lying_call *call_of(struct listen_call *c)
{
	struct lying_call *x = listen_data(c);

	if (!x) {
		x = xcalloc(1, sizeof(*x));
		x->server = listen_ctx(c);
		listen_set_data(c, x);
	}
	return x;
}

void lying_call_closed(struct listen_call *c)
{
	struct lying_call *x = listen_data(c);

	if (x)
		free(x->resource);
	free(x);
}

static void send_data(struct listen_call *c, struct rx_view data)
{
	struct rx_buf b = { .max = 16 << 20 };
	struct lying *s = listen_ctx(c);

	pthread_mutex_lock(&s->lock);
	s->sent += (int64_t)data.n;
	pthread_mutex_unlock(&s->lock);
	wire_read_response_add_header(&b, data.n);
	rx_buf_add(&b, data.p, data.n);
	listen_send(c, rpc_body_take(&b));
}

static void send_blob(struct listen_call *c, struct rx_view data, int64_t until)
{
	for (size_t at = 0; at < data.n && (int64_t)at < until; at += CHUNK) {
		size_t n = RX_MIN(data.n - at, (size_t)CHUNK);

		send_data(c, (struct rx_view){ data.p + at,
					       (size_t)RX_MIN((int64_t)n, until - (int64_t)at) });
	}
}

void lying_read(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct wire_read_request m;
	struct resource r;
	const struct lying_blob *b;
	struct rx_view data;

	if (lying_begin(c, msg))
		return;
	if (!wire_read_request_unpack(listen_arena(c), msg, &m, &err) ||
	    !resource_parse(listen_arena(c), rx_view_str(m.resource), &r, &err)) {
		bad_request(c, &err);
		return;
	}
	b = lying_find(s, &r.digest);
	if (!b || lying_lies(s, LIE_NOT_FOUND)) {
		lying_fail(c, RPC_NOT_FOUND, "not here");
		return;
	}
	if (m.offset < 0 || m.offset > b->digest.size ||
	    (m.offset > 0 && lying_lies(s, LIE_READ_OFFSET_REFUSED))) {
		lying_fail(c, RPC_OUT_OF_RANGE, "offset");
		return;
	}
	data = (struct rx_view){ b->bytes + m.offset, (size_t)(b->digest.size - m.offset) };
	if (lying_lies(s, LIE_EMPTY_MESSAGES)) {
		for (int64_t i = 0; i < lying_n(s, LIE_EMPTY_MESSAGES); i++)
			send_data(c, (struct rx_view){ 0 });
	}
	if (lying_lies(s, LIE_WRONG_DIGEST)) {
		data = arena_view(listen_arena(c), data);
		((char *)data.p)[data.n / 2] ^= 1;
	}
	if (lying_lies(s, LIE_ENDLESS_MESSAGES)) {
		call_of(c)->started = true;
		send_blob(c, data, INT64_MAX);
		return;
	}
	if (lying_lies(s, LIE_READ_HANG)) {
		send_blob(c, data, lying_n(s, LIE_READ_HANG));
		lying_hang(s, LIE_READ_HANG);
		return;
	}
	if (lying_lies(s, LIE_BREAK_READ)) {
		send_blob(c, data, lying_n(s, LIE_BREAK_READ));
		lying_fail(c, RPC_UNAVAILABLE, "the connection broke");
		return;
	}
	if (lying_lies(s, LIE_TRUNCATED_STREAM))
		send_blob(c, data, lying_n(s, LIE_TRUNCATED_STREAM));
	else
		send_blob(c, data, INT64_MAX);
	lying_fail(c, RPC_OK, "");
}

void lying_read_more(struct listen_call *c)
{
	struct lying_call *x = listen_data(c);

	if (x && x->started && !listen_cancelled(c) && listen_queued(c) == 0)
		send_data(c, RX_VIEW("and more"));
}

static void answer_write(struct listen_call *c, int64_t committed)
{
	struct rx_buf out = { 0 };

	wire_write_response_pack(committed, &out);
	lying_reply(c, &out);
}

static struct lying_partial *partial_of(struct lying *s, const char *name)
{
	struct lying_partial **slot;

	pthread_mutex_lock(&s->lock);
	slot = (struct lying_partial **)rx_map_slot(&s->partials, name, strlen(name), NULL);
	if (!*slot) {
		*slot = xcalloc(1, sizeof(**slot));
		(*slot)->bytes.max = RX_BUF_NO_MAX;
	}
	pthread_mutex_unlock(&s->lock);
	return *slot;
}

/* The first message of a Write: checks its name, tells the lies of beginnings. True: go on. */
static bool write_begin(struct listen_call *c, struct lying_call *x, struct rx_view msg,
			const struct wire_write_request *m)
{
	struct lying *s = x->server;
	struct rx_err err = { 0 };
	struct resource r;

	x->started = true;
	if (lying_begin(c, msg))
		return false;
	if (!m->resource || !*m->resource) {
		lying_fail(c, RPC_INVALID_ARGUMENT, "no resource name");
		return false;
	}
	if (!resource_parse(listen_arena(c), rx_view_str(m->resource), &r, &err))
		return bad_request(c, &err);
	x->resource = xstrdup(m->resource);
	x->digest = r.digest;
	x->offset = m->offset;
	if (lying_lies(s, LIE_DISK_FULL)) {
		lying_fail(c, RPC_RESOURCE_EXHAUSTED, "disk full");
		return false;
	}
	if (lying_lies(s, LIE_EARLY_RETURN)) {
		answer_write(c, r.digest.size);
		return false;
	}
	if (lying_lies(s, LIE_EARLY_RETURN_MINUS_1)) {
		answer_write(c, -1);
		return false;
	}
	if (m->offset > 0 && lying_lies(s, LIE_RESUME_REFUSED)) {
		lying_fail(c, RPC_INVALID_ARGUMENT, "no resumption");
		return false;
	}
	return true;
}

void lying_write(struct listen_call *c, struct rx_view msg)
{
	struct lying_call *x = call_of(c);
	struct lying *s = x->server;
	struct rx_err err = { 0 };
	struct wire_write_request m;
	struct lying_partial *p;

	lying_measure(s, "Write", msg);
	if (!wire_write_request_unpack(listen_arena(c), msg, &m, &err)) {
		bad_request(c, &err);
		return;
	}
	if (!x->started && !write_begin(c, x, msg, &m))
		return;
	if (!x->resource)
		return; /* answered already, the client still sends */
	p = partial_of(s, x->resource);
	if (m.offset != x->offset || m.offset > (int64_t)p->bytes.n) {
		lying_fail(c, RPC_INVALID_ARGUMENT, "wrong write_offset");
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->written += (int64_t)m.data.n;
	p->bytes.n = (size_t)m.offset;
	rx_buf_add(&p->bytes, m.data.p, m.data.n);
	pthread_mutex_unlock(&s->lock);
	x->offset += (int64_t)m.data.n;
	if (x->offset > lying_n(s, LIE_BREAK_UPLOAD) && lying_lies(s, LIE_BREAK_UPLOAD)) {
		lying_fail(c, RPC_UNAVAILABLE, "the connection broke");
		return;
	}
	if (!m.finish)
		return;
	if (lying_lies(s, LIE_COMMITTED_SIZE_WRONG)) {
		answer_write(c, x->digest.size / 2);
		return;
	}
	if (!lying_store(s, &x->digest, rx_view_of(&p->bytes))) {
		lying_fail(c, RPC_INVALID_ARGUMENT, "data does not match the digest");
		return;
	}
	p->complete = true;
	answer_write(c, x->digest.size);
}

void lying_write_end(struct listen_call *c)
{
	if (call_of(c)->resource) /* else it was answered, or never will be */
		lying_fail(c, RPC_INVALID_ARGUMENT, "ended without finish_write");
}

void lying_query(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct rx_buf out = { 0 };
	struct lying_partial *p;
	const char *name;

	if (lying_begin(c, msg))
		return;
	if (lying_lies(s, LIE_NO_QUERY)) {
		lying_fail(c, RPC_UNIMPLEMENTED, "no QueryWriteStatus");
		return;
	}
	if (!wire_name_unpack(listen_arena(c), msg, &name, &err)) {
		bad_request(c, &err);
		return;
	}
	p = partial_of(s, name);
	wire_query_response_pack((int64_t)p->bytes.n, p->complete, &out);
	lying_reply(c, &out);
}
