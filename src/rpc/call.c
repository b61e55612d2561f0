/* call: what all client calls share, and the unary ones: one batch of six operations, one tag. */
#include <assert.h>
#include <errno.h>

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "call_core.h"
#include "channel_core.h"
#include "clock.h"
#include "log.h"
#include "utf8.h"

#define DETAILS_KEY "grpc-status-details-bin"

grpc_op call_op(grpc_op_type type)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	op.op = type;
	return op;
}

grpc_op call_op_headers(const struct call *c)
{
	grpc_op op = call_op(GRPC_OP_SEND_INITIAL_METADATA);

	op.flags = c->flags;
	op.data.send_initial_metadata.count = c->n_headers;
	op.data.send_initial_metadata.metadata = c->headers;
	return op;
}

grpc_op call_op_initial(struct call *c)
{
	grpc_op op = call_op(GRPC_OP_RECV_INITIAL_METADATA);

	op.data.recv_initial_metadata.recv_initial_metadata = &c->initial;
	return op;
}

grpc_op call_op_status(struct call *c)
{
	grpc_op op = call_op(GRPC_OP_RECV_STATUS_ON_CLIENT);

	op.data.recv_status_on_client.trailing_metadata = &c->trailing;
	op.data.recv_status_on_client.status = &c->code;
	op.data.recv_status_on_client.status_details = &c->text;
	op.data.recv_status_on_client.error_string = &c->debug;
	return op;
}

grpc_op call_op_send(grpc_byte_buffer *message)
{
	grpc_op op = call_op(GRPC_OP_SEND_MESSAGE);

	op.data.send_message.send_message = message;
	return op;
}

grpc_op call_op_receive(grpc_byte_buffer **message)
{
	grpc_op op = call_op(GRPC_OP_RECV_MESSAGE);

	op.data.recv_message.recv_message = message;
	return op;
}

/* What gRPC would answer with a crash of ours is refused with words. */
static bool headers_copy(struct call *c, const struct call_options *o)
{
	if (!o || !o->n_headers)
		return true;
	c->headers = xcalloc(o->n_headers, sizeof(*c->headers));
	for (size_t i = 0; i < o->n_headers; i++) {
		const struct call_header *h = &o->headers[i];
		grpc_metadata *m = &c->headers[c->n_headers++];

		m->key = grpc_slice_from_copied_string(h->name);
		m->value = grpc_slice_from_copied_buffer(h->value.p, h->value.n);
		if (!grpc_header_key_is_legal(m->key)) {
			struct rx_buf b = { 0 };

			rx_buf_add_str(&b, "the header name '");
			utf8_add_safe(&b, h->name, strlen(h->name), 200);
			rx_buf_add_str(&b, "' is not legal");
			c->refused = rx_buf_take(&b);
			return false;
		}
		if (strncmp(h->name, "grpc-", 5) == 0 && !grpc_is_binary_header(m->key)) {
			c->refused = xasprintf("the header '%s' is gRPC's own", h->name);
			return false;
		}
		if (!grpc_is_binary_header(m->key) &&
		    !grpc_header_nonbin_value_is_legal(m->value)) {
			c->refused = xasprintf(
				"the value of the header '%s' is not printable ASCII", h->name);
			return false;
		}
	}
	return true;
}

void call_init(struct call *c, struct channel *ch, const char *method, const struct call_options *o,
	       bool whole_deadline)
{
	const char *slash = strrchr(method, '/');
	gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
	pthread_condattr_t attr;

	c->loop = channel_loop(ch);
	c->method = xstrdup(slash ? slash + 1 : method);
	c->timeout_ms = o && o->timeout_ms > 0 ? o->timeout_ms : CALL_TIMEOUT_MS;
	c->text = grpc_empty_slice();
	grpc_metadata_array_init(&c->initial);
	grpc_metadata_array_init(&c->trailing);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (o && o->wait_for_ready)
		c->flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY |
			   GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
	if (headers_copy(c, o)) {
		grpc_slice path = grpc_slice_from_copied_string(method);

		if (whole_deadline)
			deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
						gpr_time_from_millis(c->timeout_ms, GPR_TIMESPAN));
		c->live.call = grpc_channel_create_call(
			channel_grpc(ch), NULL, 0, loop_queue(c->loop), path, NULL, deadline, NULL);
		grpc_slice_unref(path);
	}
	loop_enter(c->loop, &c->live);
	/* Between the caller's look at it and here, loop_cancel_all may have come and gone. */
	if (c->live.call && rx_cancelled())
		grpc_call_cancel(c->live.call, NULL);
}

void call_release(struct call *c)
{
	loop_unlink(c->loop, &c->live);
	if (c->live.call)
		grpc_call_unref(c->live.call);
	grpc_metadata_array_destroy(&c->initial);
	grpc_metadata_array_destroy(&c->trailing);
	for (size_t i = 0; i < c->n_headers; i++) {
		grpc_slice_unref(c->headers[i].key);
		grpc_slice_unref(c->headers[i].value);
	}
	free(c->headers);
	grpc_slice_unref(c->text);
	gpr_free((void *)c->debug);
	free(c->refused);
	free(c->method);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	loop_left(c->loop);
}

void call_batch(struct call *c, const grpc_op *ops, size_t n, struct op *op)
{
	pthread_mutex_lock(&c->lock);
	c->pending++;
	pthread_mutex_unlock(&c->lock);
	op_batch(c->live.call, ops, n, op);
}

void call_wait(struct call *c, const bool *a, const bool *b)
{
	struct timespec until;

	assert(!loop_is_current(c->loop));
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += c->timeout_ms / 1000;
	until.tv_nsec += c->timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!*a && !(b && *b)) {
		if (c->silent) {
			pthread_cond_wait(&c->changed, &c->lock);
		} else if (pthread_cond_timedwait(&c->changed, &c->lock, &until) == ETIMEDOUT &&
			   !*a && !(b && *b)) {
			c->silent = true;
			pthread_mutex_unlock(&c->lock);
			grpc_call_cancel(c->live.call, NULL);
			pthread_mutex_lock(&c->lock);
		}
	}
}

void call_drain(struct call *c, bool cancel)
{
	assert(!loop_is_current(c->loop));
	if (cancel && c->live.call)
		grpc_call_cancel(c->live.call, NULL);
	pthread_mutex_lock(&c->lock);
	while (c->pending)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

/* --- outcomes --- */

/* The status, which has arrived, as the caller sees it; valid until text and c go. */
static int call_outcome(const struct call *c, bool lacks_reply, struct rx_buf *text,
			struct rx_view *details)
{
	*details = (struct rx_view){ "", 0 };
	if (c->refused) {
		rx_buf_add_str(text, c->refused);
		return RPC_INVALID_ARGUMENT;
	}
	if (c->code == GRPC_STATUS_CANCELLED && c->silent) {
		rx_buf_add_str(text, "no message for ");
		clock_add_duration(text, c->timeout_ms * 1000000);
		return RPC_DEADLINE_EXCEEDED;
	}
	if (c->code == GRPC_STATUS_OK) {
		if (!lacks_reply)
			return RPC_OK;
		rx_buf_add_str(text, "the server said OK but sent no answer");
		return RPC_INTERNAL;
	}
	rpc_status_explain(text, (int)c->code,
			   (struct rx_view){ (const char *)GRPC_SLICE_START_PTR(c->text),
					     GRPC_SLICE_LENGTH(c->text) });
	for (size_t i = 0; i < c->trailing.count; i++) {
		const grpc_metadata *m = &c->trailing.metadata[i];

		if (grpc_slice_str_cmp(m->key, DETAILS_KEY) == 0)
			*details = (struct rx_view){ (const char *)GRPC_SLICE_START_PTR(m->value),
						     GRPC_SLICE_LENGTH(m->value) };
	}
	if (c->debug)
		rx_debug("rpc: %s: %s", c->method, c->debug);
	return (int)c->code;
}

/* Room for RPC_STATUS_MESSAGE bytes written as \xNN, and our words around it. */
#define TEXT_MAX (5 * RPC_STATUS_MESSAGE)

bool call_report(const struct call *c, bool lacks_reply, struct arena *a, struct rpc_status *status,
		 struct rx_err *err)
{
	struct rx_buf text = { .max = TEXT_MAX };
	struct rx_view details;
	int code = call_outcome(c, lacks_reply, &text, &details);

	if (status) {
		status->code = code;
		status->message = arena_strn(a, rx_buf_str(&text), text.n);
		status->details = details.n ? arena_view(a, details) : details;
	}
	if (code != RPC_OK)
		rx_fail_rpc(err, code, text.n ? "%s: %s: %s" : "%s: %s", c->method,
			    rx_grpc_name(code), rx_buf_str(&text));
	rx_buf_release(&text);
	return code == RPC_OK;
}

/* --- unary --- */

struct unary {
	struct call c;
	struct op op;
	grpc_byte_buffer *request, *reply;
	void (*done)(void *ctx, const struct call_reply *reply);
	void *ctx;
	bool finished;
};

static void unary_free(struct unary *u)
{
	rpc_bytes_free(u->request);
	rpc_bytes_free(u->reply);
	call_release(&u->c);
	free(u);
}

static void unary_tell(struct unary *u)
{
	struct rx_buf text = { .max = TEXT_MAX };
	struct call_reply r = { .bytes = { "", 0 } };
	char *joined = NULL;
	size_t cap = 0;

	r.status.code = call_outcome(&u->c, !u->reply, &text, &r.status.details);
	r.status.message = rx_buf_str(&text);
	if (r.status.code == RPC_OK)
		r.bytes = rpc_bytes_view(u->reply, &joined, &cap);
	u->done(u->ctx, &r);
	free(joined);
	rx_buf_release(&text);
	unary_free(u);
}

static void unary_over(struct op *op, bool ok)
{
	struct unary *u = RX_CONTAINER(op, struct unary, op);

	(void)ok; /* a batch with the status in it always succeeds */
	if (u->done) {
		unary_tell(u);
		return;
	}
	pthread_mutex_lock(&u->c.lock);
	u->finished = true;
	pthread_cond_signal(&u->c.changed);
	pthread_mutex_unlock(&u->c.lock);
}

static struct unary *unary_new(struct channel *ch, const char *method, const struct call_options *o)
{
	struct unary *u = xcalloc(1, sizeof(*u));

	call_init(&u->c, ch, method, o, true);
	u->op.fn = unary_over;
	return u;
}

static void unary_go(struct unary *u, struct rpc_body *req)
{
	if (u->c.refused) {
		rpc_body_release(req);
		loop_post(u->c.loop, &u->op);
		return;
	}
	u->request = rpc_bytes_from(req);
	grpc_op ops[] = { call_op_headers(&u->c),
			  call_op_send(u->request),
			  call_op(GRPC_OP_SEND_CLOSE_FROM_CLIENT),
			  call_op_initial(&u->c),
			  call_op_receive(&u->reply),
			  call_op_status(&u->c) };

	op_batch(u->c.live.call, ops, RX_COUNT(ops), &u->op);
}

void call_unary_start(struct channel *c, const char *method, struct rpc_body req,
		      const struct call_options *o,
		      void (*done)(void *ctx, const struct call_reply *reply), void *ctx)
{
	struct unary *u = unary_new(c, method, o);

	u->done = done;
	u->ctx = ctx;
	unary_go(u, &req);
}

bool call_unary(struct channel *c, const char *method, struct rpc_body req,
		const struct call_options *o, struct arena *a, struct rx_view *reply,
		struct rpc_status *status, struct rx_err *err)
{
	struct unary *u = unary_new(c, method, o);

	assert(!loop_is_current(channel_loop(c)));
	unary_go(u, &req);
	pthread_mutex_lock(&u->c.lock);
	while (!u->finished) /* the call's deadline ends it */
		pthread_cond_wait(&u->c.changed, &u->c.lock);
	pthread_mutex_unlock(&u->c.lock);
	bool ok = call_report(&u->c, !u->reply, a, status, err);

	if (ok)
		*reply = rpc_bytes_copy(u->reply, a);
	unary_free(u);
	return ok;
}
