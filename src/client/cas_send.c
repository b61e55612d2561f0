/* cas_send: one job of an upload: asks what of a slab is missing, sends batches from it, streams
 * what is too large for them; each blob's own answer counts (REAPI rules 57-63). */
#include <fcntl.h>
#include <sys/stat.h>

#include "attempt.h"
#include "bytestream.h"
#include "cas_slab.h"
#include "file.h"
#include "log.h"

#define BATCH_UPDATE WIRE_CAS "BatchUpdateBlobs"

static void count_uploaded(struct cas_upload *u, const struct digest *d, bool streamed)
{
	atomic_fetch_add(&u->uploaded_blobs, 1);
	atomic_fetch_add(&u->uploaded_bytes, d->size);
	if (streamed) /* bytestream counted it for the client */
		return;
	atomic_fetch_add(&u->client->uploaded_blobs, 1);
	atomic_fetch_add(&u->client->uploaded_bytes, d->size);
}

static bool name_blob(const struct digest *d, const char *name, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	digest_short(d, text);
	if (err->code == RX_ECANCEL)
		return false;
	if (name)
		rx_hint(err, "blob %s is %s", text, name);
	else
		rx_hint(err, "blob %s", text);
	return false;
}

static bool stream_bytes(struct cas_upload *u, const struct digest *d, struct rx_view bytes,
			 const char *name, struct rx_err *err)
{
	if (!bytestream_write(u->client, d, &(struct bytestream_input){ .bytes = bytes, .fd = -1 },
			      err))
		return name_blob(d, name, err);
	count_uploaded(u, d, true);
	return true;
}

static bool stream_file(struct cas_upload *u, const struct digest *d, const char *path,
			const char *name, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	struct digest now;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return rx_fail_errno(err, "'%s'", name);
	if (st.st_size != d->size)
		return rx_fail(err, RX_EDIGEST, "'%s' changed while it was uploaded", name);
	if (bytestream_write(u->client, d, &(struct bytestream_input){ .fd = fd }, err)) {
		count_uploaded(u, d, true);
		return true;
	}
	/* The server found other bytes than were hashed: whose fault was it? */
	if ((err->code == RX_EIO ||
	     (err->code == RX_ERPC && err->grpc_status != RPC_UNAVAILABLE)) &&
	    !rx_cancelled() && digest_function_supported((enum digest_function)d->function) &&
	    (!digest_of_fd((enum digest_function)d->function, fd, d->size, &now, &ignored) ||
	     !digest_eq(&now, d))) {
		rx_err_reset(err);
		return rx_fail(err, RX_EDIGEST, "'%s' changed while it was uploaded", name);
	}
	return name_blob(d, name, err);
}

static struct rx_view item_data(const struct cas_slab *s, size_t i)
{
	return (struct rx_view){ s->buf.p + s->items[i].data, (size_t)s->digests[i].size };
}

/* One message: entries that lie in a row travel from where they are, others are copied. */
static struct rpc_body batch_body(struct cas_slab *s, const uint32_t *idx, size_t n,
				  const char *instance)
{
	const struct cas_item *first = &s->items[idx[0]], *last = &s->items[idx[n - 1]];
	struct rx_buf head = { 0 }, rest = { .max = RX_BUF_NO_MAX };
	struct rpc_body body;
	size_t total = 0;

	wire_update_add_header(&head, instance, (enum digest_function)s->digests[idx[0]].function);
	body = rpc_body_take(&head);
	for (size_t i = 0; i < n; i++)
		total += s->items[idx[i]].end - s->items[idx[i]].start;
	if (total == last->end - first->start) {
		atomic_fetch_add(&s->refs, 1);
		body.v[body.n++] = (struct rpc_piece){ .p = s->buf.p + first->start,
						       .n = total,
						       .release = cas_slab_unref,
						       .ctx = s };
		return body;
	}
	for (size_t i = 0; i < n; i++)
		rx_buf_add(&rest, s->buf.p + s->items[idx[i]].start,
			   s->items[idx[i]].end - s->items[idx[i]].start);
	struct rpc_body copied = rpc_body_take(&rest);
	body.v[body.n++] = copied.v[0];
	return body;
}

/* The verdict on each blob of a batch: idx keeps those to send again, status says why. False: one
 * was refused for good. */
static bool take_statuses(struct cas_upload *u, const struct attempt *t, struct cas_slab *s,
			  uint32_t *idx, size_t *n, const struct wire_blob_statuses *answer,
			  struct rpc_status *status, struct rx_err *err)
{
	RX_CLEANUP(xfreep) struct digest *asked = xmalloc(*n * sizeof(*asked));
	RX_CLEANUP(xfreep) uint8_t *done = xcalloc(*n, 1);
	RX_CLEANUP(cas_match_release) struct cas_match match = { .v = asked, .n = *n };
	size_t left = 0;

	for (size_t i = 0; i < *n; i++)
		asked[i] = s->digests[idx[i]];
	*status = (struct rpc_status){ .code = RPC_UNKNOWN,
				       .message = "the answer lacks a blob that was sent" };
	for (size_t i = 0; i < answer->n; i++) {
		const struct wire_blob_status *e = &answer->v[i];
		size_t at = cas_match_find(&match, &e->digest);
		struct digest now;

		if (at == CAS_NO_MATCH || done[at])
			continue;
		if (e->code == RPC_OK || e->code == RPC_ALREADY_EXISTS) {
			done[at] = 1;
			count_uploaded(u, &asked[at], false);
			continue;
		}
		*status = (struct rpc_status){ .code = e->code,
					       .message = e->message ? e->message : "" };
		if (retry_code_is_transient(e->code))
			continue;
		/* REAPI rule 63: for good. Whose bytes are wrong? */
		digest_of_view((enum digest_function)asked[at].function, item_data(s, idx[at]),
			       &now);
		if (!digest_eq(&now, &asked[at]))
			return rx_fail(err, RX_EDIGEST, "'%s' changed while it was uploaded",
				       s->items[idx[at]].name ? s->items[idx[at]].name : "a blob");
		attempt_fail(t, status, err);
		return name_blob(&asked[at], s->items[idx[at]].name, err);
	}
	for (size_t i = 0; i < *n; i++) {
		if (!done[i])
			idx[left++] = idx[i];
	}
	*n = left;
	return true;
}

static bool stream_items(struct cas_upload *u, struct cas_slab *s, const uint32_t *idx, size_t n,
			 struct rx_err *err)
{
	for (size_t i = 0; i < n && !atomic_load(&u->failed); i++) {
		if (!stream_bytes(u, &s->digests[idx[i]], item_data(s, idx[i]),
				  s->items[idx[i]].name, err))
			return false;
	}
	return true;
}

static bool send_run(struct cas_upload *u, struct cas_slab *s, uint32_t *idx, size_t n,
		     struct rx_err *err)
{
	struct client *c = u->client;
	struct attempt t;

	attempt_init(&t, c, CLIENT_CAS, BATCH_UPDATE);
	while (n && !atomic_load(&u->failed)) {
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		RX_CLEANUP(rx_err_release) struct rx_err try_err = { 0 };
		struct rpc_status status = { .code = RPC_UNKNOWN, .message = "" };
		struct wire_blob_statuses answer;
		struct rpc_body body;
		struct call_options o;
		struct rx_view reply;
		size_t bytes, before = n;

		if (atomic_load(&c->no_batch))
			return stream_items(u, s, idx, n, err);
		if (!client_call_options(c, CLIENT_CAS, &a, &o, err))
			return false;
		body = batch_body(s, idx, n, client_instance(c));
		bytes = rpc_body_size(&body);
		if (call_unary(client_channel(c, CLIENT_CAS), BATCH_UPDATE, body, &o, &a, &reply,
			       &status, &try_err)) {
			if (!wire_update_reply_unpack(
				    &a, reply, (enum digest_function)s->digests[idx[0]].function,
				    &answer, err))
				return attempt_wrap(&t, err);
			if (!take_statuses(u, &t, s, idx, &n, &answer, &status, err))
				return false;
			if (!n)
				return true;
			if (n < before)
				retry_progress(&t.retry);
		} else if (status.code == RPC_UNIMPLEMENTED) {
			atomic_store(&c->no_batch, true);
			rx_note("%s has no BatchUpdateBlobs: blobs are streamed",
				client_display(c, CLIENT_CAS));
			continue;
		} else if (cas_is_too_large(&status)) {
			/* REAPI rule 60 */
			if (n == 1)
				return stream_items(u, s, idx, n, err);
			cas_learn_limit(c, (int64_t)bytes);
			return send_run(u, s, idx, n / 2, err) &&
			       send_run(u, s, idx + n / 2, n - n / 2, err);
		}
		if (!attempt_again(&t, &status)) {
			attempt_fail(&t, &status, err);
			return name_blob(&s->digests[idx[0]], s->items[idx[0]].name, err);
		}
	}
	return true;
}

static void queue_stream(struct cas_upload *u, struct cas_slab *s, size_t i)
{
	struct cas_item *item = &s->items[i];
	struct cas_job *job = xcalloc(1, sizeof(*job));

	job->kind = CAS_JOB_STREAM;
	job->digest = s->digests[i];
	job->name = item->name ? xstrdup(item->name) : NULL;
	if (item->path)
		job->path = xstrdup(item->path);
	job->bytes = item->loose;
	item->loose = NULL;
	cas_upload_queue(u, job);
}

static void queue_run(struct cas_upload *u, struct cas_slab *s, const uint32_t *idx, size_t n)
{
	struct cas_job *job = xcalloc(1, sizeof(*job));

	atomic_fetch_add(&s->refs, 1);
	job->kind = CAS_JOB_RUN;
	job->slab = s;
	job->idx = xmalloc(n * sizeof(*idx));
	memcpy(job->idx, idx, n * sizeof(*idx));
	job->n = n;
	cas_upload_queue(u, job);
}

/* Moves the missing entries together, so that batches are one piece of memory. */
static size_t compact(struct cas_slab *s, uint32_t *idx)
{
	uint32_t at = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct cas_item *item = &s->items[i];
		uint32_t len = item->end - item->start;

		if (!s->missing[i] || !len)
			continue;
		if (item->start != at) {
			memmove(s->buf.p + at, s->buf.p + item->start, len);
			item->data = at + (item->data - item->start);
			item->start = at;
			item->end = at + len;
		}
		at += len;
		idx[n++] = (uint32_t)i;
	}
	return n;
}

static bool send_slab(struct cas_upload *u, struct cas_slab *s, struct rx_err *err)
{
	RX_CLEANUP(xfreep) uint32_t *idx = xmalloc((s->n + 1) * sizeof(*idx));
	const struct caps *caps = caps_get(u->client, err);
	int64_t limit, bytes = 0;
	size_t n, first = 0;

	if (!caps)
		return false;
	memset(s->missing, u->force ? 1 : 0, s->n);
	if (!u->force && s->n && !cas_find_window(u->client, s->digests, s->n, s->missing, err))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		if (s->missing[i] && s->items[i].start == s->items[i].end)
			queue_stream(u, s, i);
	}
	n = compact(s, idx);
	limit = cas_batch_limit(u->client, caps) - CAS_HEADER_ROOM;
	for (size_t i = 0; i < n; i++) {
		int64_t len = (int64_t)(s->items[idx[i]].end - s->items[idx[i]].start);

		if (i > first && bytes + len > limit) {
			queue_run(u, s, idx + first, i - first);
			first = i;
			bytes = 0;
		}
		bytes += len;
	}
	return send_run(u, s, idx + first, n - first, err);
}

bool cas_job_run(struct cas_upload *u, struct cas_job *job, struct rx_err *err)
{
	switch (job->kind) {
	case CAS_JOB_SLAB:
		return send_slab(u, job->slab, err);
	case CAS_JOB_RUN:
		return send_run(u, job->slab, job->idx, job->n, err);
	case CAS_JOB_STREAM:
		break;
	}
	if (job->path)
		return stream_file(u, &job->digest, job->path, job->name, err);
	return stream_bytes(u, &job->digest,
			    (struct rx_view){ job->bytes, (size_t)job->digest.size }, job->name,
			    err);
}
