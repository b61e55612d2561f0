/* wire_ac: GetActionResult and UpdateActionResult. */
#include "wire_ac.h"

#include "wire_pb.h"
#include "wire_reader.h"

void wire_get_result_pack(const struct wire_get_result *m, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	Re__GetActionResultRequest r = RE__GET_ACTION_RESULT_REQUEST__INIT;

	r.instance_name = wire_pb_text(m->instance);
	r.action_digest = wire_pb_digest(&scratch, &m->action);
	r.inline_stdout = m->inline_stdout;
	r.inline_stderr = m->inline_stderr;
	r.inline_output_files = wire_pb_strings(m->inline_files);
	r.n_inline_output_files = m->n_inline_files;
	r.digest_function = (Re__DigestFunction__Value)m->action.function;
	wire_pack(&r.base, out);
}

bool wire_get_result_unpack(struct arena *a, struct rx_view bytes, struct wire_get_result *out,
			    struct rx_err *err)
{
	unsigned marks = 0;
	Re__GetActionResultRequest *r = wire_unpack(a, &re__get_action_result_request__descriptor,
						    bytes, LIMIT_RESULT_BYTES, &marks, err);
	struct wire_get_result m = { 0 };

	if (!r ||
	    !wire_pb_read_digest(r->action_digest, (enum digest_function)r->digest_function, true,
				 "GetActionResultRequest.action_digest", &m.action, err))
		return false;
	m.instance = r->instance_name;
	m.inline_stdout = r->inline_stdout;
	m.inline_stderr = r->inline_stderr;
	m.inline_files = (const char **)r->inline_output_files;
	m.n_inline_files = r->n_inline_output_files;
	*out = m;
	return true;
}

void wire_update_result_pack(const struct wire_update_result *m, unsigned links, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	Re__UpdateActionResultRequest r = RE__UPDATE_ACTION_RESULT_REQUEST__INIT;

	r.instance_name = wire_pb_text(m->instance);
	r.action_digest = wire_pb_digest(&scratch, &m->action);
	r.action_result = wire_pb_result(&scratch, &m->result, links);
	r.digest_function = (Re__DigestFunction__Value)m->action.function;
	wire_pack(&r.base, out);
}

/* The ActionResult as it came; one that came in pieces as the pieces joined, which means the same.
 * The bytes have passed the scan. */
static struct rx_view find_result(struct arena *a, struct rx_view bytes)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "UpdateActionResultRequest", &marks, &ignored);
	struct rx_view found = { 0 };

	while (wire_next(&r) == WIRE_FIELD) {
		if (r.key != WIRE_KEY(3, WIRE_BYTES))
			continue;
		if (found.n && r.bytes.n) {
			char *joined = arena_alloc(a, found.n + r.bytes.n);

			memcpy(joined, found.p, found.n);
			memcpy(joined + found.n, r.bytes.p, r.bytes.n);
			found = (struct rx_view){ joined, found.n + r.bytes.n };
		} else if (r.bytes.n || !found.p) {
			found = r.bytes;
		}
	}
	return found;
}

bool wire_update_result_unpack(struct arena *a, struct rx_view bytes,
			       struct wire_update_result *out, struct rx_err *err)
{
	unsigned marks = 0;
	Re__UpdateActionResultRequest *r =
		wire_unpack(a, &re__update_action_result_request__descriptor, bytes,
			    LIMIT_RESULT_BYTES, &marks, err);
	struct wire_update_result m = { 0 };

	if (!r ||
	    !wire_pb_read_digest(r->action_digest, (enum digest_function)r->digest_function, true,
				 "UpdateActionResultRequest.action_digest", &m.action, err))
		return false;
	if (!r->action_result)
		return rx_fail(err, RX_EPARSE,
			       "UpdateActionResultRequest.action_result: is missing");
	/* REAPI rule 31: digests of a result are of the action's function */
	if (!wire_pb_read_result(a, r->action_result, (enum digest_function)m.action.function,
				 &m.result, err))
		return false;
	m.instance = r->instance_name;
	m.raw_result = find_result(a, bytes);
	*out = m;
	return true;
}
