/* wire_execution: Execute, WaitExecution, operations. */
#include "wire_execution.h"

#include "map.h"
#include "wire_pb.h"

void wire_execute_pack(const struct wire_execute *m, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	Re__ExecuteRequest r = RE__EXECUTE_REQUEST__INIT;
	Re__ExecutionPolicy policy = RE__EXECUTION_POLICY__INIT;
	Re__ResultsCachePolicy cache = RE__RESULTS_CACHE_POLICY__INIT;

	r.instance_name = wire_pb_text(m->instance);
	r.skip_cache_lookup = m->skip_cache_lookup;
	r.action_digest = wire_pb_digest(&scratch, &m->action);
	policy.priority = m->priority;
	if (m->priority)
		r.execution_policy = &policy;
	cache.priority = m->cache_priority;
	if (m->cache_priority)
		r.results_cache_policy = &cache;
	r.digest_function = (Re__DigestFunction__Value)m->action.function;
	r.inline_stdout = m->inline_stdout;
	r.inline_stderr = m->inline_stderr;
	r.inline_output_files = wire_pb_strings(m->inline_files);
	r.n_inline_output_files = m->n_inline_files;
	wire_pack(&r.base, out);
}

bool wire_execute_unpack(struct arena *a, struct rx_view bytes, struct wire_execute *out,
			 struct rx_err *err)
{
	unsigned marks = 0;
	Re__ExecuteRequest *r = wire_unpack(a, &re__execute_request__descriptor, bytes,
					    LIMIT_RESULT_BYTES, &marks, err);
	struct wire_execute m = { 0 };

	if (!r || !wire_pb_read_digest(r->action_digest, (enum digest_function)r->digest_function,
				       true, "ExecuteRequest.action_digest", &m.action, err))
		return false;
	m.instance = r->instance_name;
	m.skip_cache_lookup = r->skip_cache_lookup;
	m.priority = r->execution_policy ? r->execution_policy->priority : 0;
	m.cache_priority = r->results_cache_policy ? r->results_cache_policy->priority : 0;
	m.inline_stdout = r->inline_stdout;
	m.inline_stderr = r->inline_stderr;
	m.inline_files = (const char **)r->inline_output_files;
	m.n_inline_files = r->n_inline_output_files;
	*out = m;
	return true;
}

void wire_name_pack(const char *name, struct rx_buf *out)
{
	Re__WaitExecutionRequest m = RE__WAIT_EXECUTION_REQUEST__INIT;

	m.name = wire_pb_text(name);
	wire_pack(&m.base, out);
}

bool wire_name_unpack(struct arena *a, struct rx_view bytes, const char **name, struct rx_err *err)
{
	unsigned marks = 0;
	Re__WaitExecutionRequest *m = wire_unpack(a, &re__wait_execution_request__descriptor, bytes,
						  LIMIT_RESULT_BYTES, &marks, err);

	if (!m)
		return false;
	*name = m->name;
	return true;
}

static Pb__Any *pack_metadata(struct arena *a, const struct wire_operation *m)
{
	Re__ExecuteOperationMetadata r = RE__EXECUTE_OPERATION_METADATA__INIT;

	r.stage = (Re__ExecutionStage__Value)m->stage;
	r.action_digest = wire_pb_digest(a, &m->action);
	r.stdout_stream_name = wire_pb_text(m->stdout_stream);
	r.stderr_stream_name = wire_pb_text(m->stderr_stream);
	r.digest_function = (Re__DigestFunction__Value)m->action.function;
	return wire_pb_any(a, &r.base);
}

static Re__ExecuteResponse__ServerLogsEntry *pack_log(struct arena *a, const struct wire_log *log)
{
	Re__ExecuteResponse__ServerLogsEntry *m = PB_NEW(a, Re__ExecuteResponse__ServerLogsEntry,
							 re__execute_response__server_logs_entry);

	m->key = wire_pb_text(log->name);
	m->value = PB_NEW(a, Re__LogFile, re__log_file);
	m->value->digest = wire_pb_digest(a, &log->digest);
	m->value->human_readable = log->human_readable;
	return m;
}

static Pb__Any *pack_response(struct arena *a, const struct wire_operation *m, unsigned links)
{
	Re__ExecuteResponse r = RE__EXECUTE_RESPONSE__INIT;

	if (m->has_result)
		r.result = wire_pb_result(a, &m->result, links);
	r.cached_result = m->cached;
	if (m->status.code)
		r.status = wire_pb_status(a, &m->status);
	r.n_server_logs = m->n_logs;
	r.server_logs = ARENA_ARRAY(a, Re__ExecuteResponse__ServerLogsEntry *, m->n_logs);
	for (size_t i = 0; i < m->n_logs; i++)
		r.server_logs[i] = pack_log(a, &m->logs[i]);
	r.message = wire_pb_text(m->message);
	return wire_pb_any(a, &r.base);
}

void wire_operation_pack(const struct wire_operation *m, unsigned links, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	Lro__Operation r = LRO__OPERATION__INIT;

	r.name = wire_pb_text(m->name);
	r.done = m->done;
	if (m->has_metadata)
		r.metadata = pack_metadata(&scratch, m);
	if (m->has_error) {
		r.result_case = LRO__OPERATION__RESULT_ERROR;
		r.error = wire_pb_status(&scratch, &m->error);
	} else if (m->has_response) {
		r.result_case = LRO__OPERATION__RESULT_RESPONSE;
		r.response = pack_response(&scratch, m, links);
	}
	wire_pack(&r.base, out);
}

/* Metadata of another type is none of ours. */
static bool unpack_metadata(struct arena *a, const Pb__Any *any, enum digest_function f,
			    struct wire_operation *out, struct rx_err *err)
{
	unsigned marks = 0;
	const Re__ExecuteOperationMetadata *m;

	if (!any || !wire_pb_is(any, &re__execute_operation_metadata__descriptor))
		return true;
	m = wire_unpack(a, &re__execute_operation_metadata__descriptor, wire_pb_view(any->value),
			LIMIT_RESULT_BYTES, &marks, err);
	if (!m)
		return false;
	if (m->digest_function)
		f = (enum digest_function)m->digest_function;
	if (!wire_pb_read_digest(m->action_digest, f, false,
				 "ExecuteOperationMetadata.action_digest", &out->action, err))
		return false;
	out->has_metadata = true;
	if (m->stage > 0 && (int)m->stage <= STAGE_COMPLETED)
		out->stage = (enum wire_stage)m->stage;
	out->stdout_stream = m->stdout_stream_name;
	out->stderr_stream = m->stderr_stream_name;
	return true;
}

/* A name that comes twice counts as it came last. A log whose digest is of no use is kept without
 * one: logs only help. */
static void unpack_logs(struct arena *a, const Re__ExecuteResponse *m, enum digest_function f,
			struct wire_operation *out)
{
	RX_CLEANUP(rx_map_release) struct rx_map places = { 0 };

	out->logs = ARENA_ARRAY(a, struct wire_log, m->n_server_logs);
	for (size_t i = 0; i < m->n_server_logs; i++) {
		RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
		const Re__ExecuteResponse__ServerLogsEntry *entry = m->server_logs[i];
		struct wire_log log = { .name = entry->key };
		void **place = rx_map_slot(&places, entry->key, strlen(entry->key), NULL);

		if (entry->value) {
			log.human_readable = entry->value->human_readable;
			if (!wire_pb_read_digest(entry->value->digest, f, false, "LogFile.digest",
						 &log.digest, &ignored))
				log.digest = (struct digest){ 0 };
		}
		if (!*place)
			*place = &out->logs[out->n_logs++];
		*(struct wire_log *)*place = log;
	}
}

static bool unpack_response(struct arena *a, const Pb__Any *any, enum digest_function f,
			    struct wire_operation *out, struct rx_err *err)
{
	unsigned marks = 0;
	const Re__ExecuteResponse *m;

	if (!wire_pb_is(any, &re__execute_response__descriptor))
		return rx_fail(err, RX_EPARSE,
			       "Operation.response: holds '%.200s', not an ExecuteResponse",
			       any->type_url);
	m = wire_unpack(a, &re__execute_response__descriptor, wire_pb_view(any->value),
			LIMIT_RESULT_BYTES, &marks, err);
	if (!m)
		return false;
	out->has_response = true;
	if (m->result) {
		if (!wire_pb_read_result(a, m->result, f, &out->result, err))
			return false;
		out->has_result = true;
	}
	out->cached = m->cached_result;
	wire_pb_read_status(a, m->status, &out->status);
	out->message = m->message;
	unpack_logs(a, m, f, out);
	return true;
}

bool wire_operation_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
			   struct wire_operation *out, struct rx_err *err)
{
	unsigned marks = 0;
	Lro__Operation *r =
		wire_unpack(a, &lro__operation__descriptor, bytes, LIMIT_RESULT_BYTES, &marks, err);
	struct wire_operation m = { .stdout_stream = "", .stderr_stream = "", .message = "" };

	if (!r)
		return false;
	m.name = r->name;
	m.done = r->done;
	m.error.message = m.status.message = "";
	if (!unpack_metadata(a, r->metadata, f, &m, err))
		return rx_wrap(err, "Operation.metadata");
	switch (r->result_case) {
	case LRO__OPERATION__RESULT_ERROR: /* REAPI rule 113 */
		m.has_error = true;
		wire_pb_read_status(a, r->error, &m.error);
		break;
	case LRO__OPERATION__RESULT_RESPONSE:
		if (!unpack_response(a, r->response, f, &m, err))
			return false;
		break;
	default:
		break;
	}
	*out = m;
	return true;
}
