/* call_stream: readers (one request, many messages) and writers (many messages, one answer). One
 * message is outstanding at a time; who waits for it measures the silence. */
#include <assert.h>

#include "call_core.h"

/* --- readers --- */

struct call_reader {
	struct call c;
	struct op started, arrived, ended;
	grpc_byte_buffer *request;
	grpc_byte_buffer *message; /* the last one; what the consumer looks at */
	char *joined;
	size_t joined_cap;
	bool has_arrived; /* what was asked for: a message, or the end of them */
	bool drained;     /* there are no more messages */
	bool has_ended;
};

static void settle(struct call *c, bool *flag)
{
	pthread_mutex_lock(&c->lock);
	if (flag)
		*flag = true;
	c->pending--;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void reader_started(struct op *op, bool ok)
{
	(void)ok; /* the status says why not */
	settle(&RX_CONTAINER(op, struct call_reader, started)->c, NULL);
}

static void reader_arrived(struct op *op, bool ok)
{
	struct call_reader *r = RX_CONTAINER(op, struct call_reader, arrived);

	if (!ok) {
		rpc_bytes_free(r->message);
		r->message = NULL;
	}
	settle(&r->c, &r->has_arrived);
}

static void reader_ended(struct op *op, bool ok)
{
	struct call_reader *r = RX_CONTAINER(op, struct call_reader, ended);

	(void)ok;
	settle(&r->c, &r->has_ended);
}

struct call_reader *call_read(struct channel *ch, const char *method, struct rpc_body req,
			      const struct call_options *o)
{
	struct call_reader *r = xcalloc(1, sizeof(*r));

	call_init(&r->c, ch, method, o, false);
	r->started.fn = reader_started;
	r->arrived.fn = reader_arrived;
	r->ended.fn = reader_ended;
	if (r->c.refused) {
		rpc_body_release(&req);
		r->drained = r->has_ended = true;
		return r;
	}
	r->request = rpc_bytes_from(&req);
	grpc_op status[] = { call_op_status(&r->c) };
	grpc_op start[] = { call_op_headers(&r->c), call_op_send(r->request),
			    call_op(GRPC_OP_SEND_CLOSE_FROM_CLIENT), call_op_initial(&r->c) };

	call_batch(&r->c, start, RX_COUNT(start), &r->started);
	call_batch(&r->c, status, RX_COUNT(status), &r->ended);
	return r;
}

enum call_next call_read_next(struct call_reader *r, struct rx_view *msg, struct arena *a,
			      struct rpc_status *status, struct rx_err *err)
{
	assert(!loop_is_current(r->c.loop));
	rpc_bytes_free(r->message);
	r->message = NULL;
	if (!r->drained) {
		grpc_op next[] = { call_op_receive(&r->message) };

		r->has_arrived = false; /* nothing is outstanding: no lock needed */
		call_batch(&r->c, next, RX_COUNT(next), &r->arrived);
	}
	pthread_mutex_lock(&r->c.lock);
	if (!r->drained) {
		call_wait(&r->c, &r->has_arrived, NULL);
		r->drained = !r->message;
	}
	if (r->drained)
		call_wait(&r->c, &r->has_ended, NULL);
	pthread_mutex_unlock(&r->c.lock);
	if (!r->drained) {
		*msg = rpc_bytes_view(r->message, &r->joined, &r->joined_cap);
		return CALL_MESSAGE;
	}
	return call_report(&r->c, false, a, status, err) ? CALL_ENDED : CALL_FAILED;
}

void call_read_cancel(struct call_reader *r)
{
	if (r->c.live.call)
		grpc_call_cancel(r->c.live.call, NULL);
}

void call_read_free(struct call_reader *r)
{
	if (!r)
		return;
	call_drain(&r->c, !r->drained);
	rpc_bytes_free(r->request);
	rpc_bytes_free(r->message);
	free(r->joined);
	call_release(&r->c);
	free(r);
}

/* --- writers --- */

struct call_writer {
	struct call c;
	struct op started, sent, closed, answered;
	grpc_byte_buffer *message; /* on its way */
	grpc_byte_buffer *reply;
	bool has_left; /* nothing on its way */
	bool broken;   /* a message could not be sent: the answer says why */
	bool half_closed;
	bool has_answer;
};

static void writer_started(struct op *op, bool ok)
{
	(void)ok;
	settle(&RX_CONTAINER(op, struct call_writer, started)->c, NULL);
}

static void writer_sent(struct op *op, bool ok)
{
	struct call_writer *w = RX_CONTAINER(op, struct call_writer, sent);

	rpc_bytes_free(w->message);
	w->message = NULL;
	if (!ok) {
		pthread_mutex_lock(&w->c.lock);
		w->broken = true;
		pthread_mutex_unlock(&w->c.lock);
	}
	settle(&w->c, &w->has_left);
}

static void writer_closed(struct op *op, bool ok)
{
	(void)ok;
	settle(&RX_CONTAINER(op, struct call_writer, closed)->c, NULL);
}

static void writer_answered(struct op *op, bool ok)
{
	struct call_writer *w = RX_CONTAINER(op, struct call_writer, answered);

	(void)ok;
	settle(&w->c, &w->has_answer);
}

struct call_writer *call_write(struct channel *ch, const char *method, const struct call_options *o)
{
	struct call_writer *w = xcalloc(1, sizeof(*w));

	call_init(&w->c, ch, method, o, false);
	w->started.fn = writer_started;
	w->sent.fn = writer_sent;
	w->closed.fn = writer_closed;
	w->answered.fn = writer_answered;
	w->has_left = true;
	if (w->c.refused) {
		w->has_answer = true;
		return w;
	}
	grpc_op start[] = { call_op_headers(&w->c), call_op_initial(&w->c) };
	grpc_op answer[] = { call_op_receive(&w->reply), call_op_status(&w->c) };

	call_batch(&w->c, start, RX_COUNT(start), &w->started);
	call_batch(&w->c, answer, RX_COUNT(answer), &w->answered);
	return w;
}

bool call_write_send(struct call_writer *w, struct rpc_body msg)
{
	assert(!w->half_closed);
	pthread_mutex_lock(&w->c.lock);
	call_wait(&w->c, &w->has_left, &w->has_answer);
	/* REAPI rule 87: an answer before the end of the upload stops it. */
	bool go = w->has_left && !w->has_answer && !w->broken;

	if (go)
		w->has_left = false;
	pthread_mutex_unlock(&w->c.lock);
	if (!go) {
		rpc_body_release(&msg);
		return false;
	}
	w->message = rpc_bytes_from(&msg);
	grpc_op send[] = { call_op_send(w->message) };

	call_batch(&w->c, send, RX_COUNT(send), &w->sent);
	return true;
}

bool call_write_end(struct call_writer *w, struct arena *a, struct rx_view *reply,
		    struct rpc_status *status, struct rx_err *err)
{
	pthread_mutex_lock(&w->c.lock);
	call_wait(&w->c, &w->has_left, &w->has_answer);
	bool close = !w->has_answer && !w->half_closed;

	pthread_mutex_unlock(&w->c.lock);
	if (close) {
		grpc_op half[] = { call_op(GRPC_OP_SEND_CLOSE_FROM_CLIENT) };

		w->half_closed = true;
		call_batch(&w->c, half, RX_COUNT(half), &w->closed);
	}
	pthread_mutex_lock(&w->c.lock);
	call_wait(&w->c, &w->has_answer, NULL);
	pthread_mutex_unlock(&w->c.lock);
	if (!call_report(&w->c, !w->reply, a, status, err))
		return false;
	*reply = rpc_bytes_copy(w->reply, a);
	return true;
}

void call_write_free(struct call_writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->c.lock);
	bool answered = w->has_answer;

	pthread_mutex_unlock(&w->c.lock);
	call_drain(&w->c, !answered);
	rpc_bytes_free(w->message);
	rpc_bytes_free(w->reply);
	call_release(&w->c);
	free(w);
}
