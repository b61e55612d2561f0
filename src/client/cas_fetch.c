/* cas_fetch: downloads: batches and streams in parallel, each blob verified before it is handed on.
 */
#include <fcntl.h>
#include <unistd.h>

#include "attempt.h"
#include "bytestream.h"
#include "client_state.h"
#include "crew.h"
#include "file.h"
#include "log.h"
#include "wire_cas.h"

#define BATCH_READ   WIRE_CAS "BatchReadBlobs"
#define BATCH_BYTES  (1 << 20) /* of an answer; small, as `jobs` of them are in memory at once */
#define FETCH_CALLS  32
#define DIGEST_TRIES 4 /* of content that does not verify (REAPI rule 76) */

struct fetch {
	struct client *client;
	struct blob_receiver *to;
	struct digest_list wanted; /* each once */
	struct plan plan;
	pthread_mutex_t lock; /* of missing */
	struct digest_list *missing;
};

static void fetch_release(struct fetch *f)
{
	digest_list_release(&f->wanted);
	plan_release(&f->plan);
	pthread_mutex_destroy(&f->lock);
}

static void fetch_missing(struct fetch *f, const struct digest *d)
{
	pthread_mutex_lock(&f->lock);
	digest_list_add(f->missing, d);
	pthread_mutex_unlock(&f->lock);
}

/* A blob on its way into the receiver's descriptor, opened when its first bytes are here. */
struct streamed {
	struct fetch *fetch;
	const struct digest *digest;
	int fd;
};

static bool stream_write(void *ctx, struct rx_view bytes, struct rx_err *err)
{
	struct streamed *s = ctx;

	struct blob_receiver *to = s->fetch->to;
	const char *name;

	if (s->fd < 0)
		s->fd = to->open(to, s->digest, err);
	if (s->fd < 0)
		return false;
	if (file_write_fd(s->fd, bytes.p, bytes.n, err))
		return true;
	name = to->name ? to->name(to, s->digest) : NULL;
	return name ? rx_wrap(err, "'%s'", name) : false;
}

static bool fetch_stream(struct fetch *f, const struct digest *d, struct rx_err *err)
{
	RX_CLEANUP(rx_err_release) struct rx_err why = { 0 }, closing = { 0 };
	struct streamed s = { f, d, -1 };
	bool missing = false, ok;

	for (unsigned tries = 1;; tries++) {
		ok = bytestream_read(f->client, d, stream_write, &s, &missing, &why);
		if (!ok && why.code == RX_EDIGEST && tries > 1)
			rx_buf_addf(&why.msg, " (after %u tries)", tries);
		if (ok || why.code != RX_EDIGEST || tries >= DIGEST_TRIES)
			break;
		if (s.fd >= 0 && (ftruncate(s.fd, 0) != 0 || lseek(s.fd, 0, SEEK_SET) != 0))
			break;
		rx_debug("Read: %s; next try", rx_err_text(&why));
		rx_err_reset(&why);
	}
	if (s.fd >= 0 && !f->to->close(f->to, d, s.fd, ok && !missing, &closing) && ok) {
		rx_err_move(&why, &closing);
		ok = false;
	}
	if (!ok) {
		rx_err_move(err, &why);
		return false;
	}
	if (missing)
		fetch_missing(f, d);
	return true;
}

enum got { GOT_OK, GOT_MISSING, GOT_AGAIN, GOT_STOP };

/* One entry of an answer. GOT_AGAIN leaves the reason in status. */
static enum got take_entry(struct fetch *f, const struct attempt *t, const struct digest *d,
			   const struct wire_blob_status *e, struct rpc_status *status,
			   bool *corrupt, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];
	struct digest seen;

	digest_format(d, text);
	if (e->code == RPC_NOT_FOUND) /* REAPI rule 66 */
		return GOT_MISSING;
	if (e->code != RPC_OK) {
		*status = (struct rpc_status){ .code = e->code,
					       .message = e->message ? e->message : "" };
		return GOT_AGAIN;
	}
	if (e->compressor != COMPRESSOR_IDENTITY) {
		rx_fail(err, RX_EPARSE, "blob %s came compressed, which was not asked for", text);
		attempt_wrap(t, err);
		return GOT_STOP;
	}
	if ((int64_t)e->data.n == d->size)
		digest_of_view((enum digest_function)d->function, e->data, &seen);
	if ((int64_t)e->data.n != d->size || !digest_eq(&seen, d)) {
		*corrupt = true;
		*status =
			(struct rpc_status){ .code = RPC_UNKNOWN,
					     .message = "content that does not match its digest" };
		return GOT_AGAIN;
	}
	if (!f->to->bytes(f->to, d, e->data, err))
		return GOT_STOP;
	atomic_fetch_add(&f->client->downloaded_bytes, d->size);
	atomic_fetch_add(&f->client->downloaded_blobs, 1);
	return GOT_OK;
}

/* What a batch still waits for. */
struct pending {
	struct digest *digests;
	size_t n;
};

static bool fetch_one_by_one(struct fetch *f, const struct pending *p, struct rx_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!fetch_stream(f, &p->digests[i], err))
			return false;
	}
	return true;
}

/* Hands on what the answer has; p keeps what must be asked for again, status why. */
static bool take_answer(struct fetch *f, const struct attempt *t, struct pending *p,
			const struct wire_blob_statuses *answer, struct rpc_status *status,
			bool *corrupt, struct rx_err *err)
{
	RX_CLEANUP(cas_match_release) struct cas_match match = { .v = p->digests, .n = p->n };
	RX_CLEANUP(xfreep) uint8_t *seen = xcalloc(p->n + 1, 1);
	size_t left = 0;

	/* REAPI rule 62: a digest without an answer has failed. */
	*status = (struct rpc_status){ .code = RPC_UNKNOWN,
				       .message = "the answer lacks a blob that was asked for" };
	for (size_t i = 0; i < answer->n; i++) {
		size_t at = cas_match_find(&match, &answer->v[i].digest);

		if (at == CAS_NO_MATCH || seen[at] == 1)
			continue;
		switch (take_entry(f, t, &p->digests[at], &answer->v[i], status, corrupt, err)) {
		case GOT_OK:
			seen[at] = 1;
			break;
		case GOT_MISSING:
			seen[at] = 1;
			fetch_missing(f, &p->digests[at]);
			break;
		case GOT_AGAIN:
			seen[at] = 2;
			break;
		case GOT_STOP:
			return false;
		}
	}
	cas_match_release(&match);
	match = (struct cas_match){ 0 };
	for (size_t i = 0; i < p->n; i++) {
		if (seen[i] != 1)
			p->digests[left++] = p->digests[i];
	}
	p->n = left;
	return true;
}

static void hint_at_pending(const struct pending *p, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	if (err->code == RX_ECANCEL)
		return;
	digest_short(&p->digests[0], text);
	rx_hint(err, "blob %s%s", text, p->n > 1 ? " and others" : "");
}

static bool fetch_batch(struct fetch *f, struct pending p, struct rx_err *err)
{
	enum digest_function function = (enum digest_function)f->wanted.v[0].function;
	unsigned corrupt_tries = 0;
	struct attempt t;

	attempt_init(&t, f->client, CLIENT_CAS, BATCH_READ);
	while (p.n) {
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		RX_CLEANUP(rx_err_release) struct rx_err try_err = { 0 };
		struct rpc_status status = { .code = RPC_UNKNOWN, .message = "" };
		struct rx_buf req = { .max = LIMIT_COMMAND_BYTES };
		struct wire_blob_statuses answer;
		struct call_options o;
		struct rx_view reply;
		bool corrupt = false;

		if (atomic_load(&f->client->no_batch))
			return fetch_one_by_one(f, &p, err);
		if (!client_call_options(f->client, CLIENT_CAS, &a, &o, err))
			return false;
		wire_read_pack(&(struct wire_read){ .instance = client_instance(f->client),
						    .function = function,
						    .digests = { p.digests, p.n } },
			       &req);
		if (call_unary(client_channel(f->client, CLIENT_CAS), BATCH_READ,
			       rpc_body_take(&req), &o, &a, &reply, &status, &try_err)) {
			if (!wire_read_reply_unpack(&a, reply, function, &answer, err))
				return attempt_wrap(&t, err);
			size_t before = p.n;
			if (!take_answer(f, &t, &p, &answer, &status, &corrupt, err))
				return false;
			if (!p.n)
				return true;
			if (p.n < before)
				retry_progress(&t.retry);
		} else if (status.code == RPC_UNIMPLEMENTED) {
			atomic_store(&f->client->no_batch, true);
			rx_note("%s has no BatchReadBlobs: blobs are streamed",
				client_display(f->client, CLIENT_CAS));
			continue;
		} else if (cas_is_too_large(&status)) {
			/* REAPI rules 60, 67; a blob alone is streamed. */
			struct pending half = p, rest = p;

			if (p.n == 1)
				return fetch_one_by_one(f, &p, err);
			half.n = p.n / 2;
			rest.n = p.n - half.n;
			rest.digests += half.n;
			return fetch_batch(f, half, err) && fetch_batch(f, rest, err);
		}
		corrupt_tries += corrupt;
		if (corrupt_tries < DIGEST_TRIES && attempt_again(&t, &status))
			continue;
		if (corrupt && !rx_cancelled()) {
			char text[DIGEST_TEXT_MAX];

			digest_format(&p.digests[0], text);
			rx_fail(err, RX_EDIGEST, "what came is not blob %s (after %u tries)", text,
				corrupt_tries);
			return attempt_wrap(&t, err);
		}
		attempt_fail(&t, &status, err);
		hint_at_pending(&p, err);
		return false;
	}
	return true;
}

static bool fetch_unit(void *ctx, size_t i, struct rx_err *err)
{
	struct fetch *f = ctx;
	/* Streams first: they take longest. */
	if (i < f->plan.n_streams)
		return fetch_stream(f, &f->wanted.v[f->plan.streams[i]], err);
	i -= f->plan.n_streams;
	size_t first = f->plan.batch_start[i], n = f->plan.batch_start[i + 1] - first;
	RX_CLEANUP(xfreep) struct digest *digests = xmalloc(n * sizeof(*digests));

	for (size_t k = 0; k < n; k++)
		digests[k] = f->wanted.v[f->plan.order[first + k]];
	return fetch_batch(f, (struct pending){ .digests = digests, .n = n }, err);
}

bool cas_fetch(struct blob_source *self, const struct digest *want, size_t n,
	       struct blob_receiver *to, struct digest_list *missing, struct rx_err *err)
{
	struct client *c = RX_CONTAINER(self, struct cas_source, base)->client;
	RX_CLEANUP(fetch_release) struct fetch f = { .client = c, .to = to, .missing = missing };
	RX_CLEANUP(rx_map_release) struct rx_map seen = { 0 };
	RX_CLEANUP(xfreep) struct plan_item *items = xmalloc((n + 1) * sizeof(*items));
	const struct caps *caps = caps_get(c, err);
	int64_t limit;

	pthread_mutex_init(&f.lock, NULL);
	if (!caps)
		return false;
	for (size_t i = 0; i < n; i++) {
		enum digest_function function = (enum digest_function)want[i].function;
		uint8_t key[DIGEST_KEY_MAX];

		if (!digest_function_supported(function))
			return rx_fail(err, RX_EUSAGE, "digest function %s cannot be verified here",
				       digest_function_name(function));
		if (f.wanted.n && function != f.wanted.v[0].function)
			return rx_fail(err, RX_EUSAGE, /* REAPI rule 28 */
				       "digests of two functions cannot be fetched together");
		if (!rx_map_put(&seen, key, digest_key(&want[i], key), NULL))
			continue;
		if (digest_is_empty_blob(&want[i])) {
			if (!to->bytes(to, &want[i], RX_VIEW(""), err))
				return false;
			continue;
		}
		items[f.wanted.n] = (struct plan_item){
			.digest = want[i],
			.entry_bytes = wire_read_reply_entry_size(&want[i]),
			.index = i,
		};
		digest_list_add(&f.wanted, &want[i]);
	}
	if (!f.wanted.n)
		return true;
	limit = cas_batch_limit(c, caps);
	plan_make(&(struct plan_limits){ .blob_bytes = limit,
					 .message_bytes = RX_MIN(limit, (int64_t)BATCH_BYTES) },
		  items, f.wanted.n, &f.plan);
	return crew_run(RX_MIN(c->jobs, (unsigned)FETCH_CALLS), f.plan.n_streams + f.plan.n_batches,
			fetch_unit, &f, err);
}
