/* lying: the server's frame: its lies, its memory, what every call has in common. */
#include "lying_inside.h"

#include <unistd.h>

#include "clock.h"

static const struct {
	const char *name, *text;
} lies[] = {
#define X(id, name, text) { name, text },
	LYING_LIES(X)
#undef X
};

const char *lying_name(size_t i, const char **text_out)
{
	if (i >= LIE_COUNT)
		return NULL;
	*text_out = lies[i].text;
	return lies[i].name;
}

bool lying_tell(struct lying *s, const char *lie, int times, int64_t n)
{
	struct lying_state state = { .times = times, .n = n };
	size_t len = strcspn(lie, "@");

	if (lie[len])
		(void)snprintf(state.method, sizeof(state.method), "%s", lie + len + 1);
	for (size_t i = 0; i < LIE_COUNT; i++) {
		if (strncmp(lies[i].name, lie, len) != 0 || lies[i].name[len])
			continue;
		pthread_mutex_lock(&s->lock);
		s->lies[i] = state;
		pthread_mutex_unlock(&s->lock);
		return true;
	}
	return false;
}

bool lying_lies_of(struct lying *s, enum lie lie, const char *method)
{
	struct lying_state *state = &s->lies[lie];
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = state->times != 0 &&
	      (!method || !*state->method || strcmp(state->method, method) == 0);
	if (yes && state->times > 0)
		state->times--;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

bool lying_lies(struct lying *s, enum lie lie)
{
	return lying_lies_of(s, lie, NULL);
}

void lying_on_hang(struct lying *s, void (*told)(const char *lie))
{
	s->hung = told;
}

void lying_hang(struct lying *s, enum lie lie)
{
	if (s->hung)
		s->hung(lies[lie].name);
}

int64_t lying_n(struct lying *s, enum lie lie)
{
	int64_t n;

	pthread_mutex_lock(&s->lock);
	n = s->lies[lie].n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void lying_fail(struct listen_call *c, int code, const char *message)
{
	listen_finish(c, code, message, (struct rx_view){ 0 });
}

void lying_reply(struct listen_call *c, struct rx_buf *message)
{
	listen_reply(c, rpc_body_take(message));
}

static void remember_header(struct lying *s, struct listen_call *c, const char *name)
{
	struct rx_view v = listen_header(c, name);
	size_t i = 0;

	while (i + 1 < LYING_HEADERS && s->headers[i][0] && strcmp(s->headers[i][0], name) != 0)
		i++;
	free(s->headers[i][0]);
	free(s->headers[i][1]);
	s->headers[i][0] = xstrdup(name);
	s->headers[i][1] = v.n ? xstrndup(v.p, v.n) : NULL;
}

void lying_measure(struct lying *s, const char *name, struct rx_view msg)
{
	void **slot;

	pthread_mutex_lock(&s->lock);
	slot = rx_map_slot(&s->largest, name, strlen(name), NULL);
	if (msg.n > (size_t)*slot)
		*slot = (void *)msg.n;
	pthread_mutex_unlock(&s->lock);
}

bool lying_begin(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	const char *path = listen_method_of(c)->path, *name = strrchr(path, '/') + 1;
	struct rx_buf details = { 0 }, garbage = { 0 };
	void **slot;

	lying_measure(s, name, msg);
	pthread_mutex_lock(&s->lock);
	slot = rx_map_slot(&s->calls, name, strlen(name), NULL);
	*slot = (void *)((size_t)*slot + 1);
	remember_header(s, c, "authorization");
	remember_header(s, c, "x-test");
	remember_header(s, c, "x-raw-bin");
	remember_header(s, c, WIRE_METADATA_HEADER);
	pthread_mutex_unlock(&s->lock);

	if (lying_lies_of(s, LIE_SLOW, name))
		clock_sleep_ms(lying_n(s, LIE_SLOW));
	if (lying_lies_of(s, LIE_HANG, name)) {
		lying_hang(s, LIE_HANG);
		return true;
	}
	if (lying_lies_of(s, LIE_STEERING, name)) {
		lying_fail(c, RPC_PERMISSION_DENIED, "no\x1b[2Jremex: done\r\n all well");
		return true;
	}
	if (lying_lies_of(s, LIE_HUGE, name)) {
		garbage.max = (size_t)lying_n(s, LIE_HUGE) + 1;
		(void)rx_buf_reserve(&garbage, (size_t)lying_n(s, LIE_HUGE));
		memset(garbage.p, 0, (size_t)lying_n(s, LIE_HUGE));
		rx_buf_grew(&garbage, (size_t)lying_n(s, LIE_HUGE));
		lying_reply(c, &garbage);
		return true;
	}
	if (lying_lies_of(s, LIE_PERMISSION_DENIED, name)) {
		lying_fail(c, RPC_PERMISSION_DENIED, "not you");
		return true;
	}
	if (lying_lies_of(s, LIE_UNAUTHENTICATED, name)) {
		lying_fail(c, RPC_UNAUTHENTICATED, "who are you");
		return true;
	}
	if (lying_lies_of(s, LIE_UNAVAILABLE, name)) {
		int64_t ms = lying_n(s, LIE_UNAVAILABLE);

		wire_status_pack(&(struct wire_status){ .code = RPC_UNAVAILABLE,
							.message = "try later",
							.has_retry = ms > 0,
							.retry_ms = ms },
				 &details);
		listen_finish(c, RPC_UNAVAILABLE, "try later", rx_view_of(&details));
		rx_buf_release(&details);
		return true;
	}
	if (lying_lies_of(s, LIE_BAD_PROTOBUF, name)) {
		rx_buf_add(&garbage, "\xff\xff\xff\xff\xff\xff", 6);
		lying_reply(c, &garbage);
		return true;
	}
	return false;
}

const struct lying_blob *lying_find(struct lying *s, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];
	const struct lying_blob *b;

	pthread_mutex_lock(&s->lock);
	b = rx_map_get(&s->blobs, key, digest_key(d, key));
	pthread_mutex_unlock(&s->lock);
	return b;
}

bool lying_store(struct lying *s, const struct digest *d, struct rx_view bytes)
{
	uint8_t key[DIGEST_KEY_MAX];
	struct digest now;
	void **slot;

	if ((int64_t)bytes.n != d->size)
		return false;
	digest_of_view((enum digest_function)d->function, bytes, &now);
	if (!digest_eq(&now, d))
		return false;
	pthread_mutex_lock(&s->lock);
	slot = rx_map_slot(&s->blobs, key, digest_key(d, key), NULL);
	if (!*slot) {
		struct lying_blob *b = xcalloc(1, sizeof(*b));

		b->digest = *d;
		b->bytes = xmalloc(bytes.n + 1);
		if (bytes.n)
			memcpy(b->bytes, bytes.p, bytes.n);
		*slot = b;
	}
	pthread_mutex_unlock(&s->lock);
	return true;
}

void lying_put(struct lying *s, const struct digest *d, struct rx_view bytes)
{
	if (!lying_store(s, d, bytes))
		abort();
}

bool lying_has(struct lying *s, const struct digest *d)
{
	return digest_is_empty_blob(d) || lying_find(s, d);
}

static void blob_free(struct lying_blob *b)
{
	if (b)
		free(b->bytes);
	free(b);
}

void lying_forget(struct lying *s, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];
	void *b = NULL;

	pthread_mutex_lock(&s->lock);
	if (rx_map_remove(&s->blobs, key, digest_key(d, key), &b))
		blob_free(b);
	pthread_mutex_unlock(&s->lock);
}

static size_t map_number(struct lying *s, const struct rx_map *m, const char *name)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = (size_t)rx_map_get(m, name, strlen(name));
	pthread_mutex_unlock(&s->lock);
	return n;
}

size_t lying_blobs(struct lying *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->blobs.n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned lying_calls(struct lying *s, const char *method)
{
	return (unsigned)map_number(s, &s->calls, method);
}

size_t lying_largest(struct lying *s, const char *method)
{
	return map_number(s, &s->largest, method);
}

char *lying_header(struct lying *s, const char *name)
{
	char *copy = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < LYING_HEADERS; i++) {
		if (s->headers[i][0] && strcmp(s->headers[i][0], name) == 0 && s->headers[i][1])
			copy = xstrdup(s->headers[i][1]);
	}
	pthread_mutex_unlock(&s->lock);
	return copy;
}

const char *lying_instance(struct lying *s)
{
	return s->instance;
}

int64_t lying_written(struct lying *s)
{
	int64_t n;

	pthread_mutex_lock(&s->lock);
	n = s->written;
	pthread_mutex_unlock(&s->lock);
	return n;
}

int64_t lying_sent(struct lying *s)
{
	int64_t n;

	pthread_mutex_lock(&s->lock);
	n = s->sent;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static const struct listen_method methods[] = {
	{ .path = WIRE_CAPABILITIES, .message = lying_capabilities },
	{ .path = WIRE_CAS "FindMissingBlobs", .message = lying_find_missing },
	{ .path = WIRE_CAS "BatchUpdateBlobs", .message = lying_batch_update },
	{ .path = WIRE_CAS "BatchReadBlobs", .message = lying_batch_read },
	{ .path = WIRE_BYTESTREAM "Read",
	  .message = lying_read,
	  .writable = lying_read_more,
	  .closed = lying_call_closed },
	{ .path = WIRE_BYTESTREAM "Write",
	  .message = lying_write,
	  .half_close = lying_write_end,
	  .closed = lying_call_closed },
	{ .path = WIRE_BYTESTREAM "QueryWriteStatus", .message = lying_query },
	{ .path = WIRE_AC "GetActionResult", .message = lying_get_result },
	{ .path = WIRE_AC "UpdateActionResult", .message = lying_update_result },
	{ .path = WIRE_EXECUTION "Execute", .message = lying_execute },
	{ .path = WIRE_EXECUTION "WaitExecution", .message = lying_wait },
};

struct lying *lying_new(struct loop *l, struct pool *pool, const char *where, struct rx_err *err)
{
	struct lying *s = xcalloc(1, sizeof(*s));
	struct listen_options o = { .max_receive = 16 << 20 };

	pthread_mutex_init(&s->lock, NULL);
	if (strncmp(where, "unix://", 7) == 0) {
		s->unix_path = xstrdup(where + 7);
		o.unix_path = s->unix_path;
	} else {
		o.address = where;
	}
	s->listener = listen_new(l, pool, &o, methods, RX_COUNT(methods), s, err);
	if (!s->listener) {
		lying_free(s);
		return NULL;
	}
	if (s->unix_path)
		s->url = xstrdup(where);
	else
		s->url = xasprintf("grpc://%.*s:%d", (int)(strrchr(where, ':') - where), where,
				   listen_port(s->listener));
	return s;
}

void lying_free(struct lying *s)
{
	void *value;

	if (!s)
		return;
	if (s->listener)
		listen_free(s->listener, 100);
	for (size_t i = 0; rx_map_next(&s->blobs, &i, NULL, &value);)
		blob_free(value);
	for (size_t i = 0; rx_map_next(&s->results, &i, NULL, &value);) {
		rx_buf_release(value);
		free(value);
	}
	for (size_t i = 0; rx_map_next(&s->partials, &i, NULL, &value);) {
		rx_buf_release(&((struct lying_partial *)value)->bytes);
		free(value);
	}
	rx_map_release(&s->blobs);
	rx_map_release(&s->results);
	rx_map_release(&s->partials);
	rx_map_release(&s->calls);
	rx_map_release(&s->largest);
	for (size_t i = 0; i < LYING_HEADERS; i++) {
		free(s->headers[i][0]);
		free(s->headers[i][1]);
	}
	if (s->unix_path)
		(void)unlink(s->unix_path);
	free(s->unix_path);
	free(s->url);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

const char *lying_url(const struct lying *s)
{
	return s->url;
}
