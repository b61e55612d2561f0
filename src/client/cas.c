/* cas: FindMissingBlobs in windows, and what upload and download share. */
#include "cas.h"

#include "attempt.h"
#include "client_state.h"
#include "crew.h"
#include "log.h"
#include "wire_cas.h"

#define FIND        WIRE_CAS "FindMissingBlobs"
#define FIND_CALLS  8          /* windows in flight */
#define LIMIT_FLOOR (16 << 10) /* learned limits do not go below */

size_t cas_match_find(struct cas_match *m, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];
	size_t at = m->at;
	void *found;

	if (!m->mapped) {
		while (at < m->n && !digest_eq(&m->v[at], d))
			at++;
		if (at < m->n) {
			m->at = at + 1;
			return at;
		}
		for (size_t i = 0; i < m->n; i++)
			rx_map_put(&m->map, key, digest_key(&m->v[i], key), (void *)(i + 1));
		m->mapped = true;
	}
	found = rx_map_get(&m->map, key, digest_key(d, key));
	return found ? (size_t)found - 1 : CAS_NO_MATCH;
}

void cas_match_release(struct cas_match *m)
{
	rx_map_release(&m->map);
}

bool cas_is_too_large(const struct rpc_status *status)
{
	static const char *const words[] = { "larger", "exceed", "too large", "too big",
					     "max",    "limit",  "size" };

	if (status->code == RPC_INVALID_ARGUMENT)
		return true;
	if (status->code != RPC_RESOURCE_EXHAUSTED)
		return false;
	/* A full disk has the same code; halving a batch does not help there. */
	for (size_t i = 0; i < RX_COUNT(words); i++) {
		if (strcasestr(status->message, words[i]))
			return true;
	}
	return false;
}

int64_t cas_batch_limit(struct client *c, const struct caps *caps)
{
	int64_t limit = PLAN_MESSAGE_BYTES, learned = atomic_load(&c->batch_limit);

	if (caps->max_batch > 0)
		limit = RX_MIN(limit, caps->max_batch);
	return learned > 0 ? RX_MIN(limit, learned) : limit;
}

void cas_learn_limit(struct client *c, int64_t bytes)
{
	int64_t limit = RX_MAX(bytes / 2, (int64_t)LIMIT_FLOOR), old = atomic_load(&c->batch_limit);

	while ((old == 0 || limit < old) &&
	       !atomic_compare_exchange_weak(&c->batch_limit, &old, limit))
		;
}

bool cas_find_window(struct client *c, const struct digest *d, size_t n, uint8_t *missing,
		     struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf req = { .max = LIMIT_COMMAND_BYTES };
	RX_CLEANUP(cas_match_release) struct cas_match match = { .v = d, .n = n };
	struct rpc_status status = { 0 };
	struct wire_digests answer;
	struct attempt place;
	struct rx_view reply;
	bool foreign = false;

	if (atomic_load(&c->no_find)) {
		memset(missing, 1, n);
		return true;
	}
	wire_find_pack(&(struct wire_find){ .instance = client_instance(c),
					    .function = (enum digest_function)d[0].function,
					    .digests = { .v = (struct digest *)d, .n = n } },
		       &req);
	if (!client_unary(c, CLIENT_CAS, FIND, rx_view_of(&req), RPC_UNIMPLEMENTED, &a, &reply,
			  &status, err))
		return false;
	if (status.code == RPC_UNIMPLEMENTED) {
		atomic_store(&c->no_find, true);
		rx_note("%s has no FindMissingBlobs: everything is sent",
			client_display(c, CLIENT_CAS));
		memset(missing, 1, n);
		return true;
	}
	attempt_init(&place, c, CLIENT_CAS, FIND);
	if (!wire_missing_unpack(&a, reply, (enum digest_function)d[0].function, &answer, err))
		return attempt_wrap(&place, err);
	for (size_t i = 0; i < answer.n; i++) {
		size_t at = cas_match_find(&match, &answer.v[i]);

		if (at == CAS_NO_MATCH)
			foreign = true;
		else
			missing[at] = 1;
	}
	if (foreign)
		rx_note("%s reports blobs as missing that nobody asked about",
			client_display(c, CLIENT_CAS));
	return true;
}

struct find {
	struct client *client;
	struct digest_list *asked;
	uint8_t *missing;
};

static bool find_window(void *ctx, size_t i, struct rx_err *err)
{
	struct find *f = ctx;
	size_t first = i * CAS_FIND_WINDOW;

	return cas_find_window(f->client, f->asked->v + first,
			       RX_MIN(f->asked->n - first, (size_t)CAS_FIND_WINDOW),
			       f->missing + first, err);
}

bool cas_find_missing(struct client *c, const struct digest *d, size_t n,
		      struct digest_list *missing, struct rx_err *err)
{
	RX_CLEANUP(digest_list_release) struct digest_list asked = { 0 };
	RX_CLEANUP(rx_map_release) struct rx_map seen = { 0 };
	RX_CLEANUP(xfreep) uint8_t *flags = xcalloc(n + 1, 1);
	struct find f = { c, &asked, flags };

	if (!caps_get(c, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t key[DIGEST_KEY_MAX];

		/* REAPI rules 32, 33: the empty blob is always there. */
		if (!digest_is_empty_blob(&d[i]) &&
		    rx_map_put(&seen, key, digest_key(&d[i], key), NULL))
			digest_list_add(&asked, &d[i]);
	}
	if (!crew_run(RX_MIN(c->jobs, (unsigned)FIND_CALLS),
		      (asked.n + CAS_FIND_WINDOW - 1) / CAS_FIND_WINDOW, find_window, &f, err))
		return false;
	for (size_t i = 0; i < asked.n; i++) {
		if (flags[i])
			digest_list_add(missing, &asked.v[i]);
	}
	return true;
}

struct blob_source *cas_source(struct client *c)
{
	return &c->source.base;
}
