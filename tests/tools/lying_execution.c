/* lying_execution: capabilities, action cache and execution of the lying server. Every action
 * "runs" to the same result: exit code 0, stdout, one output file. */
#include "clock.h"
#include "lying_inside.h"

static struct wire_semver version(int major, int minor)
{
	return (struct wire_semver){ .major = major, .minor = minor, .present = true };
}

void lying_capabilities(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_buf out = { 0 };
	struct rx_err err = { 0 };
	const char *instance;
	struct wire_capabilities caps = {
		.has_cache = true,
		.has_execution = true,
		.deprecated = version(2, 0),
		.low = version(2, 0),
		.high = version(2, 11),
		.cache_functions = { DIGEST_SHA256, DIGEST_SHA1, DIGEST_BLAKE3 },
		.n_cache_functions = 3,
		.exec_functions = { DIGEST_SHA256, DIGEST_SHA1 },
		.n_exec_functions = 2,
		.update_enabled = true,
		.exec_enabled = true,
		.max_batch = 4 << 20,
		.symlinks = WIRE_SYMLINKS_ALLOWED,
	};

	if (lying_begin(c, msg))
		return;
	if (wire_capabilities_request_unpack(listen_arena(c), msg, &instance, &err))
		(void)snprintf(s->instance, sizeof(s->instance), "%s", instance);
	rx_err_release(&err);
	if (lying_lies(s, LIE_NO_CAPABILITIES)) {
		lying_fail(c, RPC_UNIMPLEMENTED, "unknown service");
		return;
	}
	if (lying_lies(s, LIE_CAPS_2_0))
		caps.high = version(2, 0);
	if (lying_lies(s, LIE_CAPS_3_0))
		caps.deprecated = caps.low = caps.high = version(3, 0);
	if (lying_lies(s, LIE_CAPS_DEPRECATED)) {
		caps.low = version(2, 20);
		caps.high = version(3, 0);
	}
	if (lying_lies(s, LIE_CAPS_NO_VERSION))
		caps.deprecated = caps.low = caps.high = (struct wire_semver){ 0 };
	if (lying_lies(s, LIE_CAPS_SHA1)) {
		caps.cache_functions[0] = caps.exec_functions[0] = DIGEST_BLAKE3;
		caps.cache_functions[1] = caps.exec_functions[1] = DIGEST_SHA1;
		caps.cache_functions[2] = DIGEST_SHA512;
	}
	if (lying_lies(s, LIE_LINKS_REFUSED))
		caps.symlinks = WIRE_SYMLINKS_DISALLOWED;
	if (lying_lies(s, LIE_LINKS_UNKNOWN))
		caps.symlinks = WIRE_SYMLINKS_UNKNOWN;
	if (lying_lies(s, LIE_NO_EXECUTION))
		caps.exec_enabled = false;
	if (lying_lies(s, LIE_NO_AC_UPDATE))
		caps.update_enabled = false;
	if (lying_lies(s, LIE_ZERO_BATCH))
		caps.max_batch = 0;
	if (lying_lies(s, LIE_TINY_BATCH))
		caps.max_batch = 65536;
	if (lying_lies(s, LIE_SMALL_BLOBS))
		caps.max_blob = lying_n(s, LIE_SMALL_BLOBS);
	wire_capabilities_pack(&caps, &out);
	lying_reply(c, &out);
}

void lying_get_result(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct rx_buf out = { .max = 64 << 20 };
	uint8_t key[DIGEST_KEY_MAX];
	struct wire_get_result m;
	const struct rx_buf *b;

	if (lying_begin(c, msg))
		return;
	if (!wire_get_result_unpack(listen_arena(c), msg, &m, &err)) {
		lying_fail(c, RPC_INVALID_ARGUMENT, rx_err_text(&err));
		rx_err_release(&err);
		return;
	}
	pthread_mutex_lock(&s->lock);
	b = rx_map_get(&s->results, key, digest_key(&m.action, key));
	if (b)
		rx_buf_add(&out, b->p, b->n);
	pthread_mutex_unlock(&s->lock);
	if (b)
		lying_reply(c, &out);
	else
		lying_fail(c, RPC_NOT_FOUND, "no result");
}

void lying_update_result(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct rx_buf out = { .max = 64 << 20 };
	uint8_t key[DIGEST_KEY_MAX];
	struct wire_update_result m;
	struct rx_buf **slot;
	bool other;

	if (lying_begin(c, msg))
		return;
	if (lying_lies(s, LIE_READ_ONLY_AC)) {
		lying_fail(c, RPC_PERMISSION_DENIED, "read-only");
		return;
	}
	if (!wire_update_result_unpack(listen_arena(c), msg, &m, &err)) {
		lying_fail(c, RPC_INVALID_ARGUMENT, rx_err_text(&err));
		rx_err_release(&err);
		return;
	}
	other = lying_lies(s, LIE_OTHER_RESULT);
	pthread_mutex_lock(&s->lock);
	slot = (struct rx_buf **)rx_map_slot(&s->results, key, digest_key(&m.action, key), NULL);
	if (!*slot) {
		*slot = xcalloc(1, sizeof(**slot));
		(*slot)->max = 64 << 20;
	}
	rx_buf_reset(*slot);
	rx_buf_add(*slot, m.raw_result.p, m.raw_result.n);
	if (!other)
		rx_buf_add(&out, m.raw_result.p, m.raw_result.n);
	pthread_mutex_unlock(&s->lock);
	lying_reply(c, &out);
}

static void send_operation(struct listen_call *c, const struct wire_operation *op)
{
	struct rx_buf b = { .max = 1 << 20 };

	wire_operation_pack(op, WIRE_LINKS_NEW, &b);
	listen_send(c, rpc_body_take(&b));
}

static void send_stage(struct listen_call *c, const char *name, enum wire_stage stage)
{
	send_operation(c, &(struct wire_operation){ .name = name,
						    .has_metadata = true,
						    .stage = stage,
						    .stdout_stream = "no/such/stream",
						    .stderr_stream = "nor/this" });
}

static struct wire_status missing_status(struct arena *a, const struct digest *d)
{
	struct wire_violation *v = ARENA_ARRAY(a, struct wire_violation, 1);
	struct rx_buf subject = { 0 };

	resource_add_subject(&subject, d);
	v->type = "MISSING";
	v->subject = arena_str(a, rx_buf_str(&subject));
	v->description = "";
	v->is_missing = true;
	v->digest = *d;
	rx_buf_release(&subject);
	return (struct wire_status){ .code = RPC_FAILED_PRECONDITION,
				     .message = "inputs are missing",
				     .violations = v,
				     .n_violations = 1 };
}

static void fail_with(struct listen_call *c, const struct wire_status *st)
{
	struct rx_buf details = { 0 };

	wire_status_pack(st, &details);
	listen_finish(c, st->code, st->message, rx_view_of(&details));
	rx_buf_release(&details);
}

/* The answer, or a lie about it, and the end of the stream. */
static void send_done(struct listen_call *c, const char *name)
{
	struct lying *s = listen_ctx(c);
	struct arena *a = listen_arena(c);
	struct result_output outputs[2] = {
		{ .path = "out.txt", .kind = NODE_FILE },
		{ .path = "link", .kind = NODE_SYMLINK, .target = "/tmp" },
	};
	struct wire_operation op = {
		.name = name,
		.done = true,
		.has_metadata = true,
		.stage = STAGE_COMPLETED,
		.has_response = true,
		.has_result = true,
		.result = { .outputs = outputs, .n_outputs = 1, .stdout_raw = RX_VIEW("hello\n") },
	};

	digest_of(DIGEST_SHA256, "output\n", 7, &outputs[0].digest);
	lying_put(s, &outputs[0].digest, RX_VIEW("output\n"));
	if (lying_lies(s, LIE_ESCAPING_PATHS)) {
		static const char *const paths[] = { "../x", "/x", "link/x" };
		int64_t n = lying_n(s, LIE_ESCAPING_PATHS);

		outputs[0].path = paths[n < 0 || n > 2 ? 0 : n];
		op.result.n_outputs = n == 2 ? 2 : 1;
	}
	if (lying_lies(s, LIE_OPERATION_ERROR)) {
		op.has_response = op.has_result = false;
		op.has_error = true;
		op.error = (struct wire_status){ .code = RPC_INVALID_ARGUMENT,
						 .message = "said by Operation.error" };
	}
	if (lying_lies(s, LIE_DONE_WITHOUT_RESPONSE))
		op.has_response = op.has_result = false;
	if (lying_lies(s, LIE_DEADLINE_IN_RESPONSE))
		op.status = (struct wire_status){ .code = RPC_DEADLINE_EXCEEDED,
						  .message = "the action took too long" };
	if (lying_lies(s, LIE_UNAVAILABLE_IN_RESPONSE)) {
		op.has_result = false;
		op.status =
			(struct wire_status){ .code = RPC_UNAVAILABLE, .message = "worker lost" };
	}
	if (lying_lies(s, LIE_MISSING_RESPONSE_STATUS)) {
		op.has_result = false;
		op.status = missing_status(a, &s->last_action);
	}
	send_operation(c, &op);
	lying_fail(c, RPC_OK, "");
}

void lying_execute(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	struct wire_execute m;
	const char *name;

	if (lying_begin(c, msg))
		return;
	if (!wire_execute_unpack(listen_arena(c), msg, &m, &err)) {
		lying_fail(c, RPC_INVALID_ARGUMENT, rx_err_text(&err));
		rx_err_release(&err);
		return;
	}
	pthread_mutex_lock(&s->lock);
	name = arena_printf(listen_arena(c), "%s/operations/%u", m.instance, ++s->operations);
	s->last_action = m.action;
	pthread_mutex_unlock(&s->lock);
	if (lying_lies(s, LIE_EXECUTE_BREAK_EARLY)) {
		lying_fail(c, RPC_UNAVAILABLE, "the connection broke");
		return;
	}
	if (lying_lies(s, LIE_INVALID_RPC)) {
		struct wire_violation v = { .type = "INVALID",
					    .subject = "platform",
					    .description = "no such pool" };

		fail_with(c, &(struct wire_status){ .code = RPC_FAILED_PRECONDITION,
						    .message = "invalid action",
						    .violations = &v,
						    .n_violations = 1 });
		return;
	}
	if (!lying_has(s, &m.action) || lying_lies(s, LIE_MISSING_RPC)) {
		struct wire_status st = missing_status(listen_arena(c), &m.action);

		fail_with(c, &st);
		return;
	}
	send_stage(c, name, STAGE_QUEUED);
	send_stage(c, name, STAGE_EXECUTING);
	if (lying_lies(s, LIE_STAGES_BACKWARDS)) {
		send_stage(c, name, STAGE_QUEUED);
		send_stage(c, name, STAGE_EXECUTING);
	}
	if (lying_lies(s, LIE_MISSING_LATE)) {
		struct wire_status st = missing_status(listen_arena(c), &m.action);

		fail_with(c, &st);
		return;
	}
	if (lying_lies(s, LIE_EXECUTE_SLOW))
		clock_sleep_ms(lying_n(s, LIE_EXECUTE_SLOW));
	if (lying_lies(s, LIE_EXECUTE_HANG)) {
		lying_hang(s, LIE_EXECUTE_HANG);
		return;
	}
	if (lying_lies(s, LIE_EXECUTE_BREAK))
		lying_fail(c, RPC_UNAVAILABLE, "the connection broke");
	else if (lying_lies(s, LIE_EXECUTE_END))
		lying_fail(c, RPC_OK, "");
	else
		send_done(c, name);
}

void lying_wait(struct listen_call *c, struct rx_view msg)
{
	struct lying *s = listen_ctx(c);
	struct rx_err err = { 0 };
	const char *name;

	if (lying_begin(c, msg))
		return;
	if (lying_lies(s, LIE_WAIT_UNIMPLEMENTED)) {
		lying_fail(c, RPC_UNIMPLEMENTED, "no WaitExecution");
		return;
	}
	if (!wire_name_unpack(listen_arena(c), msg, &name, &err)) {
		lying_fail(c, RPC_INVALID_ARGUMENT, rx_err_text(&err));
		rx_err_release(&err);
		return;
	}
	if (lying_lies(s, LIE_WAIT_NOT_FOUND) || !strstr(name, "operations/")) {
		lying_fail(c, RPC_NOT_FOUND, "no such operation");
		return;
	}
	send_stage(c, name, STAGE_EXECUTING);
	if (lying_lies(s, LIE_WAIT_BREAK))
		lying_fail(c, RPC_UNAVAILABLE, "the connection broke");
	else
		send_done(c, name);
}
