/* ac: GetActionResult and UpdateActionResult. */
#include "ac.h"

#include "attempt.h"
#include "log.h"

#define GET    WIRE_AC "GetActionResult"
#define UPDATE WIRE_AC "UpdateActionResult"

bool ac_get(struct client *c, const struct digest *action, const struct ac_get_options *o,
	    struct arena *a, bool *hit_out, struct result *out, struct rx_err *err)
{
	static const struct ac_get_options plain = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf req = { .max = LIMIT_COMMAND_BYTES };
	struct rpc_status status = { 0 };
	struct rx_view reply;
	struct attempt place;

	if (!o)
		o = &plain;
	if (!caps_get(c, err))
		return false;
	wire_get_result_pack(&(struct wire_get_result){ .instance = client_instance(c),
							.action = *action,
							.inline_stdout = o->inline_stdout,
							.inline_stderr = o->inline_stderr,
							.inline_files = o->inline_files,
							.n_inline_files = o->n_inline_files },
			     &req);
	/* REAPI rule 102: a miss is an answer. */
	if (!client_unary(c, CLIENT_AC, GET, rx_view_of(&req), RPC_NOT_FOUND, a, &reply, &status,
			  err))
		return false;
	if (status.code == RPC_NOT_FOUND) {
		*hit_out = false;
		return true;
	}
	if (!wire_result_unpack(a, reply, (enum digest_function)action->function, out, err)) {
		attempt_init(&place, c, CLIENT_AC, GET);
		return attempt_wrap(&place, err);
	}
	*hit_out = true;
	return true;
}

/* Who does not ask whether it was stored gets a note that it was not. */
static void refused(bool *out, struct client *c, const char *why)
{
	if (out)
		*out = false;
	else
		rx_note("%s %s", client_display(c, CLIENT_AC), why);
}

bool ac_put(struct client *c, const struct digest *action, const struct result *r, bool *stored_out,
	    struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf req = { .max = LIMIT_RESULT_BYTES };
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	const struct caps *caps = caps_get_role(c, CLIENT_AC, err);
	struct rpc_status status = { 0 };
	struct wire_update_result m;
	struct rx_view reply;

	if (!caps)
		return false;
	if (!caps->can_update_ac) { /* REAPI rule 43 */
		refused(stored_out, c, "takes no action results from us");
		return true;
	}
	m = (struct wire_update_result){ .instance = client_instance(c),
					 .action = *action,
					 .result = *r };
	/* REAPI rule 106: what is inlined is in the CAS too. */
	m.result.stdout_raw = m.result.stderr_raw = (struct rx_view){ 0 };
	m.result.outputs = ARENA_ARRAY(&a, struct result_output, r->n_outputs + 1);
	for (size_t i = 0; i < r->n_outputs; i++) {
		m.result.outputs[i] = r->outputs[i];
		m.result.outputs[i].contents = (struct rx_view){ 0 };
	}
	wire_update_result_pack(
		&m, WIRE_LINKS_NEW | (caps->needs_old_outputs ? WIRE_LINKS_OLD : 0u), &req);
	if (client_unary(c, CLIENT_AC, UPDATE, rx_view_of(&req), RPC_PERMISSION_DENIED, &a, &reply,
			 &status, err)) {
		if (status.code != RPC_OK) /* REAPI rule 108 */
			refused(stored_out, c, "does not let us store action results");
		else if (stored_out)
			*stored_out = true;
		return true;
	}
	if (err->code != RX_ERPC || err->grpc_status != RPC_UNIMPLEMENTED)
		return false;
	rx_err_reset(err);
	refused(stored_out, c, "has no UpdateActionResult");
	return true;
}
