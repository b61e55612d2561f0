/* operation_run: one action from its digest to the answer that its watchers get. */
#include "log.h"
#include "operations_parts.h"

static void on_executing(void *ctx)
{
	struct operation *op = ctx;

	pthread_mutex_lock(&op->ops->lock);
	operation_stage(op, STAGE_EXECUTING);
	pthread_mutex_unlock(&op->ops->lock);
}

static void set_status(struct wire_operation *w, int code, const char *message)
{
	w->status = (struct wire_status){ .code = code, .message = message };
}

/* A result is kept when the command was content and nobody forbade it (REAPI rules 107, 114, 124).
 */
static bool keep_result(struct operation *op, const struct action *action, const struct result *r,
			struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = LIMIT_RESULT_BYTES };

	if (r->exit_code != 0 || action->do_not_cache)
		return true;
	wire_result_pack(r, WIRE_LINKS_NEW, &bytes);
	if (bytes.full)
		return true;
	return store_ac_put(op->ops->o.store, op->instance, &op->action, rx_view_of(&bytes), err);
}

static void finish_result(struct operation *op, const struct action *action,
			  struct worker_outcome *o, struct arena *a, struct wire_operation *w)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	bool changed;

	o->result.times.queued = op->queued_wall_ns;
	w->has_result = true;
	if (o->how == WORKER_TIMED_OUT) { /* REAPI rule 115 */
		set_status(w, RPC_DEADLINE_EXCEEDED, "the action ran into its timeout");
	} else if (!keep_result(op, action, &o->result, &err)) {
		/* The result is right all the same; only the next lookup will miss. */
		rx_debug("server: %s: %s", op->name, rx_err_text(&err));
		w->message = "the result could not be cached";
		rx_err_release(&err);
	}
	if (!ac_inline(op->ops->o.store, &op->wishes, a, &o->result, &changed, &err))
		rx_debug("server: %s: %s", op->name, rx_err_text(&err)); /* a hint (rule 109) */
	w->result = o->result;
}

static void finish_outcome(struct operation *op, const struct action *action,
			   struct worker_outcome *o, struct arena *a, struct wire_operation *w)
{
	switch (o->how) {
	case WORKER_DONE:
	case WORKER_TIMED_OUT:
		finish_result(op, action, o, a, w);
		break;
	case WORKER_MISSING_INPUTS: /* REAPI rule 117 */
		server_missing_status(a, "inputs of the action", &o->missing, &w->status);
		break;
	case WORKER_CANCELLED:
		set_status(w, RPC_CANCELLED, "the action was cancelled");
		break;
	case WORKER_REFUSED:
		set_status(w, o->grpc_code, o->why);
		break;
	}
}

static bool work(struct operation *op, struct arena *a, struct action *action,
		 struct worker_outcome *out, struct rx_err *err)
{
	struct operations *ops = op->ops;
	const struct worker_options o = {
		.runner = ops->o.runner,
		.pool = ops->o.pool,
		.scratch_dir = ops->o.scratch_dir,
		.inputs = store_source(ops->o.store),
		.outputs = store_sink(ops->o.store),
		.function = (enum digest_function)op->action.function,
		.name = "remex",
	};

	out->how = WORKER_DONE;
	if (!worker_load(o.inputs, &op->action, a, action, out, err))
		return false;
	if (out->how != WORKER_DONE)
		return true;
	/* Who names outputs the old way reads links the old way (REAPI rule 137). */
	if (!action->n_output_paths)
		op->links |= WIRE_LINKS_OLD;
	return worker_run(&o, action, &op->cancel, on_executing, op, a, out, err);
}

void operation_run(struct operation *op, struct arena *a, struct wire_operation *w)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct worker_outcome out = { 0 };
	struct action action = { 0 };

	*w = (struct wire_operation){ .status = { .message = "" } };
	if (work(op, a, &action, &out, &err)) {
		finish_outcome(op, &action, &out, a, w);
	} else if (__atomic_load_n(&op->cancel, __ATOMIC_ACQUIRE)) {
		set_status(w, RPC_CANCELLED, "the action was cancelled");
	} else {
		rx_debug("server: %s: %s", op->name, rx_err_text(&err));
		set_status(w, server_code(&err), arena_str(a, rx_err_text(&err)));
	}
	digest_list_release(&out.missing);
}
