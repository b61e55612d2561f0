/* bytestream_write: ByteStream.Write and QueryWriteStatus. */
#include "clock.h"
#include "server_parts.h"
#include "wire_bytestream.h"
#include "wire_execution.h"

/* What a broken upload brought stays for a while, so that its client can go on from there (REAPI
 * rule 94); few, as each holds room in the store. */
#define PARKED_MAX 32

/* One upload under way, or broken and parked. It is in the server's list, newest first, so that
 * QueryWriteStatus and the next Write find it by its name. */
struct upload {
	struct upload *next;
	char *name; /* as the client wrote it */
	struct digest digest;
	struct store_writer *writer;
	int64_t committed; /* guarded by the server's lock, as is parked_ns */
	int64_t parked_ns; /* 0 = a call has it */
	bool done;         /* the blob is there, or cannot be taken */
	bool spoiled;      /* its bytes are wrong or incomplete: nothing to go on from */
};

static void upload_free(struct upload *u)
{
	if (!u)
		return;
	store_writer_free(u->writer);
	free(u->name);
	free(u);
}

static void enlist(struct server *s, struct upload *u)
{
	pthread_mutex_lock(&s->lock);
	u->next = s->uploads;
	s->uploads = u;
	pthread_mutex_unlock(&s->lock);
}

/* With the lock held. */
static void delist(struct server *s, struct upload *u)
{
	for (struct upload **p = &s->uploads; *p; p = &(*p)->next)
		if (*p == u) {
			*p = u->next;
			return;
		}
}

/* Takes those out of the list that have been parked too long or are too many; all when the server
 * ends. Tells when the oldest one left is due, 0 = there is none. */
static int64_t drop_parked(struct server *s, size_t keep)
{
	struct upload *drop = NULL;
	int64_t now = clock_mono_ns(), oldest = 0;
	int64_t keep_ns = s->o.upload_keep_ms * 1000000;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (struct upload **p = &s->uploads; *p;) {
		struct upload *u = *p;

		if (u->parked_ns && (++n > keep || now - u->parked_ns >= keep_ns)) {
			*p = u->next;
			u->next = drop;
			drop = u;
		} else {
			if (u->parked_ns && (!oldest || u->parked_ns < oldest))
				oldest = u->parked_ns;
			p = &u->next;
		}
	}
	pthread_mutex_unlock(&s->lock);
	while (drop) {
		struct upload *next = drop->next;

		upload_free(drop);
		drop = next;
	}
	return oldest ? oldest + keep_ns : 0;
}

void uploads_free(struct server *s)
{
	(void)drop_parked(s, 0);
}

int64_t uploads_tidy(struct server *s)
{
	return drop_parked(s, PARKED_MAX);
}

/* The call is over; what is whole so far may be gone on with. */
static void leave(struct server *s, struct upload *u)
{
	bool keep = u->writer && !u->done && !u->spoiled && u->committed > 0;

	pthread_mutex_lock(&s->lock);
	delist(s, u);
	if (keep) {
		u->parked_ns = clock_mono_ns();
		u->next = s->uploads;
		s->uploads = u;
	}
	pthread_mutex_unlock(&s->lock);
	if (keep)
		(void)drop_parked(s, PARKED_MAX);
	else
		upload_free(u);
}

/* A parked upload of this name that has exactly that many bytes; a new start drops it. */
static struct upload *adopt(struct server *s, const char *name, int64_t offset)
{
	struct upload *u;

	pthread_mutex_lock(&s->lock);
	for (u = s->uploads; u; u = u->next)
		if (u->parked_ns && strcmp(u->name, name) == 0 &&
		    (offset == 0 || u->committed == offset))
			break;
	if (u) {
		u->parked_ns = 0;
		if (offset == 0)
			delist(s, u);
	}
	pthread_mutex_unlock(&s->lock);
	if (offset)
		return u;
	upload_free(u);
	return NULL;
}

static void answer(struct listen_call *c, struct upload *u)
{
	struct rx_buf reply = { 0 };

	u->done = true;
	wire_write_response_pack(u->digest.size, &reply);
	server_reply(c, &reply);
}

static bool parse_name(struct listen_call *c, const char *name, struct resource *r)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	if (!resource_parse(listen_arena(c), rx_view_str(name), r, &err)) {
		server_fail(c, &err);
		return false;
	}
	if (!r->upload || r->compressor != COMPRESSOR_IDENTITY) {
		server_refuse(c, RPC_INVALID_ARGUMENT,
			      r->upload ? "'%s': this server takes no compressed blobs"
					: "'%s' is not the name of an upload",
			      name);
		return false;
	}
	return server_check_instance(c, r->instance) && server_check_digest(c, &r->digest);
}

static struct upload *upload_new(const char *name, const struct digest *d)
{
	struct upload *u = xcalloc(1, sizeof(*u));

	u->name = xstrdup(name);
	u->digest = *d;
	return u;
}

/* The first message of a call; NULL when the call is over. */
static struct upload *begin(struct listen_call *c, const struct wire_write_request *m)
{
	struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct resource r;
	struct upload *u;

	if (!server_check_writable(c))
		return NULL;
	if (!m->resource || !m->resource[0]) { /* REAPI rule 82 */
		server_refuse(c, RPC_INVALID_ARGUMENT, "the first message has no resource_name");
		return NULL;
	}
	if (!parse_name(c, m->resource, &r))
		return NULL;
	if (store_has(s->store, &r.digest)) { /* REAPI rule 87 */
		u = upload_new(m->resource, &r.digest);
		listen_set_data(c, u);
		answer(c, u);
		return NULL;
	}
	u = adopt(s, m->resource, m->offset);
	if (u) {
		listen_set_data(c, u);
		return u;
	}
	if (m->offset != 0) { /* REAPI rule 98 */
		server_refuse(c, RPC_INVALID_ARGUMENT,
			      "write_offset %" PRId64 ": nothing to go on from there, start at 0",
			      m->offset);
		return NULL;
	}
	u = upload_new(m->resource, &r.digest);
	listen_set_data(c, u);
	u->writer = store_writer_new(s->store, &r.digest, &err);
	if (!u->writer) {
		u->done = true;
		server_fail(c, &err);
		return NULL;
	}
	enlist(s, u);
	return u;
}

static bool take(struct listen_call *c, struct upload *u, const struct wire_write_request *m,
		 struct rx_err *err)
{
	struct server *s = listen_ctx(c);
	int64_t at = store_writer_size(u->writer);

	if (m->resource && m->resource[0] && strcmp(m->resource, u->name) != 0) /* REAPI rule 82 */
		return rx_fail(err, RX_EUSAGE, "resource_name changes from '%s' to '%s'", u->name,
			       m->resource);
	if (m->offset != at) /* REAPI rule 84 */
		return rx_fail(err, RX_EUSAGE,
			       "write_offset is %" PRId64 " after %" PRId64 " bytes", m->offset,
			       at);
	if (!store_writer_add(u->writer, m->data, err)) {
		u->spoiled = true; /* perhaps some of it was written */
		return false;
	}
	pthread_mutex_lock(&s->lock);
	u->committed = store_writer_size(u->writer);
	pthread_mutex_unlock(&s->lock);
	if (!m->finish)
		return true;
	u->spoiled = !store_writer_end(u->writer, err);
	return !u->spoiled;
}

static void write_message(struct listen_call *c, struct rx_view msg)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	struct upload *u = listen_data(c);
	struct wire_write_request m;

	if (!wire_write_request_unpack(&scratch, msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!u)
		u = begin(c, &m);
	if (!u)
		return;
	if (!take(c, u, &m, &err)) {
		server_fail(c, &err);
	} else if (m.finish) {
		answer(c, u);
	}
}

static void write_half_close(struct listen_call *c)
{
	/* REAPI rule 85 */
	server_refuse(c, RPC_INVALID_ARGUMENT, "the upload ended without finish_write");
}

static void write_closed(struct listen_call *c)
{
	struct upload *u = listen_data(c);

	if (u)
		leave(listen_ctx(c), u);
	server_closed(c);
}

/* Whatever is not here or under way has nothing committed. NOT_FOUND would be an answer, too (REAPI
 * rule 95), but Bazel gives up on it where it goes on after 0. */
static void query(struct listen_call *c, struct rx_view msg)
{
	struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf reply = { 0 };
	int64_t committed = 0;
	struct resource r;
	const char *name;

	if (!wire_name_unpack(listen_arena(c), msg, &name, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!parse_name(c, name, &r))
		return;
	if (store_has(s->store, &r.digest)) {
		wire_query_response_pack(r.digest.size, true, &reply);
		server_reply(c, &reply);
		return;
	}
	pthread_mutex_lock(&s->lock);
	for (const struct upload *u = s->uploads; u; u = u->next)
		if (strcmp(u->name, name) == 0)
			committed = RX_MAX(committed, u->committed);
	pthread_mutex_unlock(&s->lock);
	wire_query_response_pack(committed, false, &reply);
	server_reply(c, &reply);
}

const struct listen_method *upload_methods(size_t *n)
{
	static const struct listen_method methods[] = {
		{ .path = WIRE_BYTESTREAM "Write",
		  .start = server_started,
		  .message = write_message,
		  .half_close = write_half_close,
		  .closed = write_closed },
		{ .path = WIRE_BYTESTREAM "QueryWriteStatus",
		  .start = server_started,
		  .message = query,
		  .closed = server_closed },
	};

	*n = RX_COUNT(methods);
	return methods;
}
