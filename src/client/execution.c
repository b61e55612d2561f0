/* execution: follows an operation from Execute to its answer, through breaks and lost inputs. */
#include "execution.h"

#include "attempt.h"
#include "client_state.h"
#include "log.h"

#define EXECUTE        WIRE_EXECUTION "Execute"
#define WAIT_EXECUTION WIRE_EXECUTION "WaitExecution"
#define IDLE_MS        86400000 /* a queue may hold an action for hours; keepalive finds dead peers */
#define MISSING_ROUNDS 5        /* Execute calls after uploading what was missing */
#define LOST_ROUNDS    5        /* Execute calls because the operation was gone */
#define WAIT_ROUNDS    100      /* WaitExecution calls, as progress starts the backoff over */

struct run {
	struct client *c;
	const struct execution_request *r;
	struct arena *a;
	struct execution_outcome *out;
	struct attempt execute, wait;
	char *name;            /* of the operation; NULL before the first message */
	enum wire_stage stage; /* last told */
	bool told;
	unsigned missing_rounds, lost_rounds, executes, waits;
	bool no_wait; /* the server has no WaitExecution */
};

static void run_release(struct run *x)
{
	free(x->name);
}

/* What one stream came to. */
enum end {
	END_BROKEN,  /* status says how; the operation may go on */
	END_REFUSED, /* a status before the operation existed, or the operation is gone */
	END_DONE,    /* the operation is done */
	END_STOP     /* err is set */
};

static void tell_stage(struct run *x, const struct wire_operation *op)
{
	if (!op->has_metadata || (x->told && op->stage == x->stage))
		return;
	x->told = true;
	x->stage = op->stage;
	if (x->r->on_stage)
		x->r->on_stage(x->r->ctx, op->stage, op->name);
}

/* Reads one stream to its end. done_out is in x->a. */
static enum end follow(struct run *x, struct call_reader *reader, struct attempt *t,
		       struct rpc_status *status, struct wire_operation *done_out,
		       struct rx_err *err)
{
	enum digest_function f = (enum digest_function)x->r->action.function;

	for (;;) {
		RX_CLEANUP(arena_release) struct arena scratch = { 0 };
		RX_CLEANUP(rx_err_release) struct rx_err rpc_err = { 0 };
		struct wire_operation op;
		struct rx_view msg;

		switch (call_read_next(reader, &msg, x->a, status, &rpc_err)) {
		case CALL_MESSAGE:
			break;
		case CALL_ENDED: /* REAPI rule 120: without an answer that is a break */
			*status =
				(struct rpc_status){ .code = RPC_UNAVAILABLE,
						     .message =
							     "the stream ended without an answer" };
			return x->name ? END_BROKEN : END_REFUSED;
		case CALL_FAILED:
			if (status->code == RPC_NOT_FOUND || status->code == RPC_UNIMPLEMENTED ||
			    status->code == RPC_FAILED_PRECONDITION)
				return END_REFUSED;
			return x->name ? END_BROKEN : END_REFUSED;
		}
		/* The last message outlives the stream; the others are looked at and dropped. */
		if (!wire_operation_unpack(&scratch, msg, f, &op, err)) {
			attempt_wrap(t, err);
			return END_STOP;
		}
		if (op.name && *op.name && (!x->name || strcmp(x->name, op.name) != 0)) {
			free(x->name);
			x->name = xstrdup(op.name);
		}
		/* REAPI rule 122 */
		retry_progress(&x->wait.retry);
		tell_stage(x, &op);
		if (!op.done)
			continue;
		if (!wire_operation_unpack(x->a, arena_view(x->a, msg), f, done_out, err)) {
			attempt_wrap(t, err);
			return END_STOP;
		}
		return END_DONE;
	}
}

static enum end stream(struct run *x, bool waiting, struct rpc_status *status,
		       struct wire_operation *done_out, struct rx_err *err)
{
	struct attempt *t = waiting ? &x->wait : &x->execute;
	struct rx_buf req = { .max = LIMIT_ACTION_BYTES };
	struct call_options o;
	struct call_reader *reader;
	enum end end;

	if (rx_cancelled()) {
		rx_fail(err, RX_ECANCEL, "stopped");
		return END_STOP;
	}
	if (!client_call_options(x->c, CLIENT_EXECUTOR, x->a, &o, err))
		return END_STOP;
	o.timeout_ms = IDLE_MS; /* REAPI rule 127 */
	if (waiting) {
		x->waits++;
		wire_name_pack(x->name, &req);
	} else {
		x->executes++;
		free(x->name); /* of the run before, which is not to be waited for */
		x->name = NULL;
		wire_execute_pack(&(struct wire_execute){ .instance = client_instance(x->c),
							  .skip_cache_lookup =
								  x->r->skip_cache_lookup,
							  .action = x->r->action,
							  .priority = x->r->priority,
							  .inline_stdout = x->r->inline_stdout,
							  .inline_stderr = x->r->inline_stderr },
				  &req);
	}
	reader = call_read(client_channel(x->c, CLIENT_EXECUTOR),
			   waiting ? WAIT_EXECUTION : EXECUTE, rpc_body_take(&req), &o);
	end = follow(x, reader, t, status, done_out, err);
	call_read_free(reader);
	return end;
}

enum turn { TURN_EXECUTE, TURN_WAIT, TURN_ANSWER, TURN_STOP };

/* REAPI rule 118: sends what the server lacks and runs again, a limited number of times. */
static enum turn upload_missing(struct run *x, const struct wire_status *s, struct rx_err *err)
{
	struct digest *v;

	if (!s->all_missing || !x->r->upload_missing)
		return TURN_ANSWER;
	if (++x->missing_rounds > MISSING_ROUNDS) {
		char text[DIGEST_TEXT_MAX];

		digest_format(&s->violations[0].digest, text);
		rx_fail_rpc(err, RPC_FAILED_PRECONDITION,
			    "the server says blob %s is missing, also after it was sent %d times",
			    text, MISSING_ROUNDS);
		attempt_wrap(&x->execute, err);
		return TURN_STOP;
	}
	v = ARENA_ARRAY(x->a, struct digest, s->n_violations);
	for (size_t i = 0; i < s->n_violations; i++)
		v[i] = s->violations[i].digest;
	rx_debug("Execute: %zu blobs are missing on the server, sending them", s->n_violations);
	if (!x->r->upload_missing(x->r->ctx, v, s->n_violations, err))
		return TURN_STOP;
	return TURN_EXECUTE;
}

/* An RPC that ended with a status instead of an operation. */
static enum turn after_refusal(struct run *x, bool waiting, const struct rpc_status *status,
			       struct rx_err *err)
{
	struct wire_status details = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };

	/* REAPI rule 117: also once it has begun. */
	if (status->code == RPC_FAILED_PRECONDITION && status->details.n &&
	    wire_status_unpack(x->a, status->details, &details, &ignored)) {
		enum turn turn = upload_missing(x, &details, err);

		if (turn != TURN_ANSWER)
			return turn;
	}
	if (waiting && status->code != RPC_FAILED_PRECONDITION) {
		/* REAPI rule 121: the operation is not known (any more), or waiting is not. */
		if (status->code == RPC_UNIMPLEMENTED)
			x->no_wait = true;
		free(x->name);
		x->name = NULL;
		if (++x->lost_rounds <= LOST_ROUNDS)
			return TURN_EXECUTE;
		x->wait.retry.failed = x->waits;
		attempt_fail(&x->wait, status, err);
		return TURN_STOP;
	}
	if (!waiting && attempt_again(&x->execute, status))
		return TURN_EXECUTE;
	attempt_fail(waiting ? &x->wait : &x->execute, status, err);
	for (size_t i = 0; i < details.n_violations && i < 20; i++)
		rx_hint(err, "%s %s%s%s", details.violations[i].type, details.violations[i].subject,
			*details.violations[i].description ? ": " : "",
			details.violations[i].description);
	return TURN_STOP;
}

static enum turn after_break(struct run *x, bool waiting, const struct rpc_status *status,
			     struct rx_err *err)
{
	struct attempt *t = waiting ? &x->wait : &x->execute;

	if (x->no_wait) {
		free(x->name);
		x->name = NULL;
		if (attempt_again(&x->execute, status))
			return TURN_EXECUTE;
		attempt_fail(&x->execute, status, err);
		return TURN_STOP;
	}
	if (!waiting) {
		/* REAPI rule 120: the first WaitExecution comes at once, later ones with backoff.
		 */
		if (!rx_cancelled() &&
		    (retry_code_is_transient(status->code) || status->code == RPC_UNAUTHENTICATED))
			return TURN_WAIT;
	} else {
		if (x->waits < WAIT_ROUNDS && x->wait.retry.since_progress == 0)
			x->wait.retry.failed = 0;
		if (attempt_again(&x->wait, status))
			return TURN_WAIT;
	}
	attempt_fail(t, status, err);
	return TURN_STOP;
}

static bool check_result(const struct execution_outcome *out, struct rx_err *err)
{
	const struct result *r = &out->result;

	if (!out->has_result)
		return out->status.code != RPC_OK ||
		       rx_fail(err, RX_EPARSE, "the operation succeeded without a result");
	/* REAPI rule 144 */
	for (size_t i = 0; (r->marks & MARK_OUTPUT_PATH) && i < r->n_outputs; i++)
		if (strncmp(r->outputs[i].path, "../", 3) == 0)
			return rx_fail(err, RX_EPARSE,
				       "the output '%.300s' is outside the working directory",
				       r->outputs[i].path);
	return true;
}

static enum turn after_done(struct run *x, const struct wire_operation *op, struct rx_err *err)
{
	/* REAPI rule 113: Operation.error must not be, but is a failure when it is. */
	const struct wire_status *s = op->has_error ? &op->error : &op->status;

	if (!op->has_error && !op->has_response) {
		rx_fail(err, RX_EPARSE, "the operation is done but has neither response nor error");
		attempt_wrap(&x->execute, err);
		return TURN_STOP;
	}
	if (s->code == RPC_FAILED_PRECONDITION) {
		enum turn turn = upload_missing(x, s, err);

		if (turn != TURN_ANSWER)
			return turn;
	}
	/* REAPI rule 150; DEADLINE_EXCEEDED here is the action's own timeout (rule 115) */
	if (s->code == RPC_UNAVAILABLE || s->code == RPC_INTERNAL) {
		struct rpc_status status = { .code = s->code, .message = s->message };

		if (attempt_again(&x->execute, &status))
			return TURN_EXECUTE;
		if (rx_cancelled()) {
			rx_fail(err, RX_ECANCEL, "stopped");
			return TURN_STOP;
		}
	}
	*x->out = (struct execution_outcome){
		.has_result = op->has_response && op->has_result,
		.result = op->result,
		.cached = op->cached,
		.timed_out = s->code == RPC_DEADLINE_EXCEEDED,
		.status = *s,
		.message = op->message,
		.logs = op->logs,
		.n_logs = op->n_logs,
		.operation = arena_str(x->a, x->name ? x->name : ""),
		.executes = x->executes,
		.waits = x->waits,
	};
	if (!x->out->status.message)
		x->out->status.message = "";
	if (!check_result(x->out, err)) {
		attempt_wrap(&x->execute, err);
		return TURN_STOP;
	}
	return TURN_ANSWER;
}

bool execution_run(struct client *c, const struct execution_request *r, struct arena *a,
		   struct execution_outcome *out, struct rx_err *err)
{
	struct execution_outcome outcome;
	RX_CLEANUP(run_release) struct run x = { .c = c, .r = r, .a = a, .out = &outcome };
	const struct caps *caps = caps_get_role(c, CLIENT_EXECUTOR, err);
	enum turn turn = TURN_EXECUTE;

	if (!caps)
		return false;
	attempt_init(&x.execute, c, CLIENT_EXECUTOR, EXECUTE);
	attempt_init(&x.wait, c, CLIENT_EXECUTOR, WAIT_EXECUTION);
	if (!caps->can_execute) /* REAPI rule 42 */
		return rx_fail(err, RX_EUSAGE, "%s does not execute actions",
			       client_display(c, CLIENT_EXECUTOR));
	while (turn == TURN_EXECUTE || turn == TURN_WAIT) {
		struct rpc_status status = { .message = "" };
		struct wire_operation op = { 0 };
		bool waiting = turn == TURN_WAIT;

		switch (stream(&x, waiting, &status, &op, err)) {
		case END_BROKEN:
			turn = after_break(&x, waiting, &status, err);
			break;
		case END_REFUSED:
			turn = after_refusal(&x, waiting, &status, err);
			break;
		case END_DONE:
			turn = after_done(&x, &op, err);
			break;
		case END_STOP:
			turn = TURN_STOP;
			break;
		}
	}
	if (turn == TURN_ANSWER)
		*out = outcome;
	return turn == TURN_ANSWER;
}
