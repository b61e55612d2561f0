/* listen_call: one call on the server side.
 *
 * The loop only notes events; a worker of the pool takes them in the order start, message,
 * half_close, writable, closed, one worker at a time for a call. At most one received message and
 * one sent message are outstanding. `pending` counts gRPC's tags; when it is 0 and the close has
 * come the call closes. */
#include <assert.h>
#include <stdatomic.h>

#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>

#include "listen_core.h"
#include "rpc_bytes.h"

#define DETAILS_KEY "grpc-status-details-bin"
/* Longest status text sent: clients take 8 KiB of trailers, percent-encoding triples the rest. */
#define TEXT_MAX 2000
/* Events a worker takes of one call before others get their turn. */
#define TURN 4

enum {
	EVENT_START = 1,
	EVENT_MESSAGE = 2,
	EVENT_HALF_CLOSE = 4,
	EVENT_WRITABLE = 8,
	EVENT_CLOSED = 16
};

struct header {
	struct rx_view name, value;
};
struct outgoing {
	struct outgoing *next;
	grpc_byte_buffer *bytes;
};

struct listen_call {
	struct listener *owner; /* only until it has closed */
	void *ctx;
	const struct listen_method *method; /* NULL: refused by ourselves */
	grpc_call *call;
	struct arena arena;
	struct header *headers;
	size_t n_headers;
	const char *peer;
	bool authenticated;
	void *data;
	atomic_uint refs;

	struct op received, sent, closing;
	grpc_byte_buffer *incoming; /* filled by gRPC */
	int was_cancelled;
	char *joined;
	size_t joined_cap;
	/* Of the send batch that is outstanding. */
	grpc_byte_buffer *leaving;
	grpc_metadata trailer;
	grpc_slice text, details;

	pthread_mutex_t lock; /* of what follows */
	unsigned pending;
	unsigned events;
	bool running;    /* a worker has it, or the pool is about to */
	bool delivering; /* the message handler runs */
	bool receiving, read_once, at_end, held;
	bool sending, headers_sent, finishing, status_sent;
	bool gone;   /* the close has come */
	bool closed; /* the closed handler is next or over */
	struct outgoing *first, **last;
	size_t queued;
	int code;
};

static void listen_call_free(struct listen_call *c)
{
	free(c->joined);
	pthread_mutex_destroy(&c->lock);
	arena_release(&c->arena);
	free(c);
}

void listen_ref(struct listen_call *c)
{
	atomic_fetch_add(&c->refs, 1);
}

void listen_unref(struct listen_call *c)
{
	if (c && atomic_fetch_sub(&c->refs, 1) == 1)
		listen_call_free(c);
}

/* --- reading --- */

/* With the lock held: whether the caller has to start a receive after letting go of it. */
static bool take_receive(struct listen_call *c)
{
	/* Who has no half_close handler answers the first message: there is no second. */
	if (c->receiving || c->delivering || (c->events & EVENT_MESSAGE) || c->at_end || c->held ||
	    c->finishing || c->gone || !c->method || (c->read_once && !c->method->half_close))
		return false;
	c->receiving = true;
	c->pending++;
	return true;
}

static void do_receive(struct listen_call *c)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_MESSAGE;
	op.data.recv_message.recv_message = &c->incoming;
	op_batch(c->call, &op, 1, &c->received);
}

/* --- sending --- */

struct send_plan {
	bool go, headers, status;
};

static struct send_plan take_send(struct listen_call *c)
{
	struct send_plan p = { .go = false };

	if (c->sending || c->gone || c->status_sent || (!c->first && !c->finishing))
		return p;
	p.go = true;
	p.headers = !c->headers_sent;
	if (c->first) {
		struct outgoing *o = c->first;

		c->first = o->next;
		if (!c->first)
			c->last = &c->first;
		c->leaving = o->bytes;
		free(o);
	}
	p.status = c->finishing && !c->first;
	c->sending = c->headers_sent = true;
	c->status_sent = p.status;
	c->pending++;
	return p;
}

static void do_send(struct listen_call *c, const struct send_plan *p)
{
	grpc_op ops[3];
	size_t n = 0;

	if (!p->go)
		return;
	memset(ops, 0, sizeof(ops));
	if (p->headers)
		ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	if (c->leaving) {
		ops[n].op = GRPC_OP_SEND_MESSAGE;
		ops[n++].data.send_message.send_message = c->leaving;
	}
	if (p->status) {
		ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
		ops[n].data.send_status_from_server.status = (grpc_status_code)c->code;
		ops[n].data.send_status_from_server.status_details = &c->text;
		if (GRPC_SLICE_LENGTH(c->details)) {
			c->trailer.key = grpc_slice_from_static_string(DETAILS_KEY);
			c->trailer.value = c->details;
			ops[n].data.send_status_from_server.trailing_metadata_count = 1;
			ops[n].data.send_status_from_server.trailing_metadata = &c->trailer;
		}
		n++;
	}
	op_batch(c->call, ops, n, &c->sent);
}

/* --- events --- */

static unsigned deliverable(const struct listen_call *c)
{
	unsigned e = c->events;

	if (c->events & EVENT_CLOSED)
		return c->events & (EVENT_START | EVENT_CLOSED);
	if (c->held || c->finishing)
		e &= ~(unsigned)(EVENT_MESSAGE | EVENT_HALF_CLOSE);
	return e;
}

static void turn(void *arg);

/* With the lock held: whether the caller has to give the call to a worker. */
static bool take_turn(struct listen_call *c)
{
	if (c->running || !deliverable(c))
		return false;
	c->running = true;
	return true;
}

/* At the end of every callback on the loop, and only there: once the last tag is in, a worker may
 * free the call. */
static void settle(struct listen_call *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->gone && !c->pending && !c->closed) {
		c->closed = true;
		c->events |= EVENT_CLOSED;
	}
	bool post = take_turn(c);

	pthread_mutex_unlock(&c->lock);
	if (post && !c->method) /* nobody's handler to wait for */
		turn(c);
	else if (post)
		pool_post(c->owner->pool, turn, c);
}

static void on_received(struct op *op, bool ok)
{
	struct listen_call *c = RX_CONTAINER(op, struct listen_call, received);
	bool failed = !ok || (!c->incoming && grpc_call_failed_before_recv_message(c->call));

	pthread_mutex_lock(&c->lock);
	c->receiving = false;
	c->pending--;
	if (c->incoming && ok) {
		c->events |= EVENT_MESSAGE;
	} else {
		c->at_end = true;
		if (!failed)
			c->events |= EVENT_HALF_CLOSE;
	}
	pthread_mutex_unlock(&c->lock);
	settle(c);
}

static void on_sent(struct op *op, bool ok)
{
	struct listen_call *c = RX_CONTAINER(op, struct listen_call, sent);
	bool message = c->leaving != NULL;

	(void)ok; /* a failed send means that the close is coming */
	rpc_bytes_free(c->leaving);
	c->leaving = NULL;
	pthread_mutex_lock(&c->lock);
	if (message)
		c->queued--;
	c->sending = false;
	c->pending--;
	if (message && !c->queued && !c->finishing && c->method && c->method->writable)
		c->events |= EVENT_WRITABLE;
	struct send_plan p = take_send(c);

	pthread_mutex_unlock(&c->lock);
	do_send(c, &p);
	settle(c);
}

static void on_closing(struct op *op, bool ok)
{
	struct listen_call *c = RX_CONTAINER(op, struct listen_call, closing);
	struct outgoing *o, *next;

	(void)ok;
	pthread_mutex_lock(&c->lock);
	c->gone = true;
	c->pending--;
	o = c->first;
	c->first = NULL;
	c->last = &c->first;
	c->queued = c->sending && c->leaving ? 1 : 0;
	pthread_mutex_unlock(&c->lock);
	for (; o; o = next) {
		next = o->next;
		rpc_bytes_free(o->bytes);
		free(o);
	}
	settle(c);
}

/* --- a worker's turn --- */

static void deliver_start(struct listen_call *c)
{
	if (c->method->start(c))
		return;
	/* It said that it has finished the call; one that lied would hang its client. */
	listen_finish(c, RPC_INTERNAL, "the call was not taken", (struct rx_view){ "", 0 });
}

static void deliver_message(struct listen_call *c)
{
	c->method->message(c, rpc_bytes_view(c->incoming, &c->joined, &c->joined_cap));
	rpc_bytes_free(c->incoming);
	c->incoming = NULL;
	pthread_mutex_lock(&c->lock);
	c->delivering = false;
	bool more = take_receive(c);

	pthread_mutex_unlock(&c->lock);
	if (more)
		do_receive(c);
}

static void deliver_half_close(struct listen_call *c)
{
	if (c->method->half_close)
		c->method->half_close(c);
	else if (!c->read_once)
		listen_finish(c, RPC_UNIMPLEMENTED, "the request has no message",
			      (struct rx_view){ "", 0 });
}

static void deliver_closed(struct listen_call *c)
{
	struct listener *l = c->owner;

	if (c->method && c->method->closed)
		c->method->closed(c);
	rpc_bytes_free(c->incoming);
	c->incoming = NULL;
	grpc_call_unref(c->call);
	grpc_slice_unref(c->text);
	grpc_slice_unref(c->details);
	listen_unref(c);
	listener_left(l);
}

static unsigned take_event(struct listen_call *c)
{
	unsigned all = deliverable(c);
	unsigned e = all & -all;

	c->events &= ~e;
	if (e == EVENT_MESSAGE) {
		c->delivering = true;
		c->read_once = true;
	}
	return e;
}

static void turn(void *arg)
{
	struct listen_call *c = arg;

	for (int i = 0;; i++) {
		pthread_mutex_lock(&c->lock);
		if (i == TURN && deliverable(c)) {
			pthread_mutex_unlock(&c->lock);
			pool_post(c->owner->pool, turn, c);
			return;
		}
		unsigned e = take_event(c);

		if (!e)
			c->running = false;
		pthread_mutex_unlock(&c->lock);
		switch (e) {
		case EVENT_START:
			deliver_start(c);
			break;
		case EVENT_MESSAGE:
			deliver_message(c);
			break;
		case EVENT_HALF_CLOSE:
			deliver_half_close(c);
			break;
		case EVENT_WRITABLE:
			c->method->writable(c);
			break;
		case EVENT_CLOSED:
			deliver_closed(c);
			return;
		default:
			return;
		}
	}
}

/* --- beginning --- */

static struct rx_view slice_copy(struct arena *a, grpc_slice s)
{
	return arena_view(a, (struct rx_view){ (const char *)GRPC_SLICE_START_PTR(s),
					       GRPC_SLICE_LENGTH(s) });
}

static void note_peer(struct listen_call *c)
{
	if (c->owner->unix_path) { /* listen_unix let in nobody else */
		c->peer = arena_printf(&c->arena, "unix:%s", c->owner->unix_path);
		c->authenticated = true;
		return;
	}
	char *peer = grpc_call_get_peer(c->call);
	grpc_auth_context *auth = grpc_call_auth_context(c->call);

	c->peer = arena_str(&c->arena, peer ? peer : "");
	gpr_free(peer);
	c->authenticated = auth && grpc_auth_context_peer_is_authenticated(auth);
	if (auth)
		grpc_auth_context_release(auth);
}

void listen_call_accept(struct listener *l, grpc_call *call, const grpc_call_details *details,
			const grpc_metadata_array *headers, bool full)
{
	struct listen_call *c = xcalloc(1, sizeof(*c));
	grpc_op op;

	c->owner = l;
	c->ctx = l->ctx;
	c->call = call;
	atomic_init(&c->refs, 1);
	c->received.fn = on_received;
	c->sent.fn = on_sent;
	c->closing.fn = on_closing;
	c->text = c->details = grpc_empty_slice();
	c->last = &c->first;
	pthread_mutex_init(&c->lock, NULL);
	c->headers = ARENA_ARRAY(&c->arena, struct header, headers->count + 1);
	for (size_t i = 0; i < headers->count; i++) {
		struct header *h = &c->headers[c->n_headers++];

		h->name = slice_copy(&c->arena, headers->metadata[i].key);
		h->value = slice_copy(&c->arena, headers->metadata[i].value);
	}
	note_peer(c);
	c->pending = 1;
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	op.data.recv_close_on_server.cancelled = &c->was_cancelled;
	op_batch(call, &op, 1, &c->closing);

	if (full) {
		listen_finish(c, RPC_RESOURCE_EXHAUSTED, "too many calls",
			      (struct rx_view){ "", 0 });
		return;
	}
	c->method = rx_map_get(&l->methods, GRPC_SLICE_START_PTR(details->method),
			       GRPC_SLICE_LENGTH(details->method));
	if (!c->method) {
		listen_finish(c, RPC_UNIMPLEMENTED, "this server has no such method",
			      (struct rx_view){ "", 0 });
		return;
	}
	pthread_mutex_lock(&c->lock);
	if (c->method->start)
		c->events |= EVENT_START;
	bool receive = take_receive(c);

	pthread_mutex_unlock(&c->lock);
	if (receive)
		do_receive(c);
	settle(c);
}

/* --- what handlers do --- */

void *listen_ctx(const struct listen_call *c)
{
	return c->ctx;
}

const struct listen_method *listen_method_of(const struct listen_call *c)
{
	return c->method;
}

void *listen_data(const struct listen_call *c)
{
	return c->data;
}

void listen_set_data(struct listen_call *c, void *data)
{
	c->data = data;
}

struct arena *listen_arena(struct listen_call *c)
{
	return &c->arena;
}

struct rx_view listen_header(const struct listen_call *c, const char *name)
{
	for (size_t i = 0; i < c->n_headers; i++) {
		if (rx_view_eq_str(c->headers[i].name, name))
			return c->headers[i].value;
	}
	return (struct rx_view){ "", 0 };
}

const char *listen_peer(const struct listen_call *c)
{
	return c->peer;
}

bool listen_peer_authenticated(const struct listen_call *c)
{
	return c->authenticated;
}

bool listen_cancelled(const struct listen_call *c)
{
	struct listen_call *w = (struct listen_call *)c;

	pthread_mutex_lock(&w->lock);
	bool yes = w->gone && w->was_cancelled;

	pthread_mutex_unlock(&w->lock);
	return yes;
}

static bool push(struct listen_call *c, grpc_byte_buffer *bytes)
{
	if (c->gone || c->finishing)
		return false;
	struct outgoing *o = xmalloc(sizeof(*o));

	*o = (struct outgoing){ .bytes = bytes };
	*c->last = o;
	c->last = &o->next;
	c->queued++;
	c->events &= ~(unsigned)EVENT_WRITABLE;
	return true;
}

void listen_send(struct listen_call *c, struct rpc_body msg)
{
	grpc_byte_buffer *bytes = rpc_bytes_from(&msg);

	pthread_mutex_lock(&c->lock);
	bool taken = push(c, bytes);
	struct send_plan p = take_send(c);

	pthread_mutex_unlock(&c->lock);
	if (!taken)
		rpc_bytes_free(bytes);
	do_send(c, &p);
}

size_t listen_queued(const struct listen_call *c)
{
	struct listen_call *w = (struct listen_call *)c;

	pthread_mutex_lock(&w->lock);
	size_t n = w->queued;

	pthread_mutex_unlock(&w->lock);
	return n;
}

/* At most TEXT_MAX bytes, no character cut in two. */
static size_t text_length(const char *message)
{
	size_t n = strnlen(message, TEXT_MAX);

	while (n && message[n] && ((unsigned char)message[n] & 0xc0) == 0x80)
		n--;
	return n;
}

void listen_finish(struct listen_call *c, int code, const char *message, struct rx_view details)
{
	pthread_mutex_lock(&c->lock);
	if (!c->gone && !c->finishing) {
		c->finishing = true;
		c->code = code;
		if (message && *message)
			c->text = grpc_slice_from_copied_buffer(message, text_length(message));
		if (details.n)
			c->details = grpc_slice_from_copied_buffer(details.p, details.n);
	}
	struct send_plan p = take_send(c);

	pthread_mutex_unlock(&c->lock);
	do_send(c, &p);
}

void listen_reply(struct listen_call *c, struct rpc_body msg)
{
	grpc_byte_buffer *bytes = rpc_bytes_from(&msg);

	/* Under one lock, so that message and status leave in one batch. */
	pthread_mutex_lock(&c->lock);
	bool taken = push(c, bytes);

	if (taken)
		c->finishing = true; /* code 0, no text */
	struct send_plan p = take_send(c);

	pthread_mutex_unlock(&c->lock);
	if (!taken)
		rpc_bytes_free(bytes);
	do_send(c, &p);
}

void listen_hold(struct listen_call *c)
{
	pthread_mutex_lock(&c->lock);
	c->held = true;
	pthread_mutex_unlock(&c->lock);
}

void listen_resume(struct listen_call *c)
{
	pthread_mutex_lock(&c->lock);
	bool was = c->held && !c->gone;

	c->held = false;
	bool receive = was && take_receive(c);
	bool post = was && take_turn(c);

	pthread_mutex_unlock(&c->lock);
	if (receive)
		do_receive(c);
	if (post)
		pool_post(c->owner->pool, turn, c);
}
