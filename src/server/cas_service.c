/* cas_service: FindMissingBlobs, BatchUpdateBlobs, BatchReadBlobs. */
#include "limit.h"
#include "server_parts.h"
#include "wire_cas.h"

static void find_missing(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	struct wire_digests missing = { 0 };
	struct arena *a = listen_arena(c);
	struct wire_find m;

	if (!wire_find_unpack(a, msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, m.instance) || !server_check_digests(c, &m.digests))
		return;
	missing.v = ARENA_ARRAY(a, struct digest, m.digests.n);
	for (size_t i = 0; i < m.digests.n; i++)
		if (!store_has(s->store, &m.digests.v[i]))
			missing.v[missing.n++] = m.digests.v[i];
	wire_missing_pack(&missing, &reply);
	server_reply(c, &reply);
}

static void update_entry(const struct server *s, const struct wire_update_entry *e, struct arena *a,
			 struct wire_blob_status *out)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	out->digest = e->digest;
	out->message = "";
	if (!e->digest_ok) {
		out->code = RPC_INVALID_ARGUMENT;
		out->message = e->why;
	} else if (e->compressor != COMPRESSOR_IDENTITY) {
		out->code = RPC_INVALID_ARGUMENT;
		out->message = "this server takes no compressed blobs";
	} else if (!store_put(s->store, &e->digest, e->data, &err)) { /* REAPI rules 61, 63 */
		out->code = server_code(&err);
		out->message = arena_str(a, rx_err_text(&err));
	}
}

static void batch_update(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	struct wire_blob_statuses statuses = { 0 };
	struct arena *a = listen_arena(c);
	struct wire_update m;
	size_t total = 0;

	if (!server_check_writable(c))
		return;
	if (!wire_update_unpack(a, msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, m.instance))
		return;
	for (size_t i = 0; i < m.n; i++)
		total += m.entries[i].data.n;
	if (total > SERVER_MAX_BATCH) { /* REAPI rule 60 */
		server_refuse(c, RPC_INVALID_ARGUMENT, "%zu bytes in one batch, at most %d", total,
			      SERVER_MAX_BATCH);
		return;
	}
	statuses.v = ARENA_ARRAY(a, struct wire_blob_status, m.n);
	statuses.n = m.n;
	for (size_t i = 0; i < m.n; i++)
		update_entry(s, &m.entries[i], a, &statuses.v[i]);
	wire_update_reply_pack(&statuses, &reply);
	server_reply(c, &reply);
}

/* The bytes of one blob, in the buffer of its status; released by the caller. */
static void read_entry(const struct server *s, const struct digest *d, struct arena *a,
		       struct rx_buf *bytes, struct wire_blob_status *out)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	out->digest = *d;
	out->message = "";
	bytes->max = SERVER_MAX_BATCH;
	if (store_read(s->store, d, SERVER_MAX_BATCH, bytes, &err)) {
		out->data = rx_view_of(bytes);
		return;
	}
	out->code = server_code(&err); /* REAPI rule 66 */
	out->message = arena_str(a, rx_err_text(&err));
}

static void batch_read(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	struct wire_blob_statuses statuses = { 0 };
	struct arena *a = listen_arena(c);
	struct rx_buf *bytes;
	struct wire_read m;
	int64_t total = 0;

	if (!wire_read_unpack(a, msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, m.instance) || !server_check_digests(c, &m.digests))
		return;
	for (size_t i = 0; i < m.digests.n; i++) {
		total += RX_MIN(m.digests.v[i].size, (int64_t)SERVER_MAX_BATCH + 1);
		if (total > SERVER_MAX_BATCH) {
			server_refuse(c, RPC_INVALID_ARGUMENT,
				      "more than %d bytes asked for in one batch",
				      SERVER_MAX_BATCH);
			return;
		}
	}
	bytes = ARENA_ARRAY(a, struct rx_buf, m.digests.n);
	statuses.v = ARENA_ARRAY(a, struct wire_blob_status, m.digests.n);
	statuses.n = m.digests.n;
	for (size_t i = 0; i < m.digests.n; i++)
		read_entry(s, &m.digests.v[i], a, &bytes[i], &statuses.v[i]);
	wire_read_reply_pack(&statuses, &reply);
	for (size_t i = 0; i < m.digests.n; i++)
		rx_buf_release(&bytes[i]);
	server_reply(c, &reply);
}

const struct listen_method *cas_methods(size_t *n)
{
	static const struct listen_method methods[] = {
		{ .path = WIRE_CAS "FindMissingBlobs",
		  .start = server_started,
		  .message = find_missing,
		  .closed = server_closed },
		{ .path = WIRE_CAS "BatchUpdateBlobs",
		  .start = server_started,
		  .message = batch_update,
		  .closed = server_closed },
		{ .path = WIRE_CAS "BatchReadBlobs",
		  .start = server_started,
		  .message = batch_read,
		  .closed = server_closed },
	};

	*n = RX_COUNT(methods);
	return methods;
}
