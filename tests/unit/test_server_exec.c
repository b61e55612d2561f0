/* test_server_exec: the execution side of the server over a socket, rule by rule. */
#include "server_fixture.h"

#include <pthread.h>

#include "wire_action.h"

TestSuite(server_exec, .init = fx_setup, .fini = fx_teardown, .timeout = 60);

static const struct server_options defaults = { .execution = true, .max_actions = 2 };

struct recipe {
	const char *script;
	const char *output; /* NULL = none */
	const char *salt;
	bool do_not_cache;
	int64_t timeout_s;
	bool keep_command, keep_input; /* back: not uploaded */
};

/* sh -c SCRIPT with an input file "in" that says "input". */
static struct digest make_action(struct recipe r)
{
	const char *argv[] = { "/bin/sh", "-c", r.script };
	struct rx_view input = RX_VIEW("input\n");
	struct file_node file = { .name = "in", .digest = fx_digest(input) };
	struct directory root = { .files = &file, .n_files = 1 };
	struct action action = { .argv = argv,
				 .n_argv = 3,
				 .output_paths = &r.output,
				 .n_output_paths = r.output != NULL,
				 .has_timeout = r.timeout_s != 0,
				 .timeout_s = r.timeout_s,
				 .do_not_cache = r.do_not_cache,
				 .salt = rx_view_str(r.salt) };
	struct rx_buf b = { 0 };

	wire_command_pack(&action, WIRE_OUTPUT_PATHS, &b);
	action.command_digest = fx_digest(rx_view_of(&b));
	if (!r.keep_command)
		fx_put(rx_view_of(&b));
	rx_buf_reset(&b);
	if (!r.keep_input)
		fx_put(input);
	wire_directory_pack(&root, &b);
	action.input_root = fx_put(rx_view_of(&b));
	rx_buf_reset(&b);
	wire_action_pack(&action, &b);
	action.digest = fx_put(arena_view(&fx_arena, rx_view_of(&b)));
	rx_buf_release(&b);
	return action.digest;
}

static struct wire_operation unpack(struct rx_view bytes)
{
	struct wire_operation op = { 0 };
	struct rx_err err = { 0 };

	cr_assert(wire_operation_unpack(&fx_arena, bytes, DIGEST_SHA256, &op, &err), "%s",
		  rx_err_text(&err));
	return op;
}

static struct rx_buf request(struct wire_execute m)
{
	struct rx_buf req = { 0 };

	wire_execute_pack(&m, &req);
	return req;
}

/* Runs it to its end; the last operation in out. */
static int execute(struct wire_execute m, struct wire_operation *out)
{
	struct rx_buf req = request(m);
	int code = fx_read(WIRE_EXECUTION "Execute", &req);

	if (code == 0) {
		cr_assert(fx_n_messages > 0);
		*out = unpack(fx_messages[fx_n_messages - 1]);
		cr_expect(out->done && out->has_response);
	}
	return code;
}

static struct call_reader *start(struct wire_execute m)
{
	struct rx_buf req = request(m);

	return call_read(fx_channel, WIRE_EXECUTION "Execute", rpc_body_take(&req),
			 &(struct call_options){ 0 });
}

/* The next operation of a stream; false at its end. */
static bool next(struct call_reader *r, struct wire_operation *out)
{
	struct rx_err err = { 0 };
	struct rx_view msg;
	enum call_next n = call_read_next(r, &msg, &fx_arena, NULL, &err);

	if (n == CALL_MESSAGE)
		*out = unpack(arena_view(&fx_arena, msg));
	cr_expect(n != CALL_FAILED, "%s", rx_err_text(&err));
	rx_err_release(&err);
	return n == CALL_MESSAGE;
}

static struct wire_operation last(struct call_reader *r)
{
	struct wire_operation op = { 0 };

	while (next(r, &op))
		;
	call_read_free(r);
	return op;
}

static int by_name(const char *method, const char *name, struct wire_operation *out)
{
	struct rx_buf req = { 0 };
	struct rx_view reply;
	int code;

	wire_name_pack(name, &req);
	code = fx_unary(method, &req, &reply);
	if (code == 0 && out)
		*out = unpack(reply);
	return code;
}

Test(server_exec, rule_41_42_capabilities)
{
	struct wire_capabilities caps;
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	struct rx_view reply;

	fx_start(defaults);
	wire_capabilities_request_pack("", &req);
	cr_assert(fx_unary(WIRE_CAPABILITIES, &req, &reply) == 0);
	cr_assert(wire_capabilities_unpack(&fx_arena, reply, &caps, &err));
	cr_expect(caps.has_execution && caps.exec_enabled && caps.n_exec_functions > 0);
	cr_expect(caps.exec_functions[0] == DIGEST_SHA256);
}

Test(server_exec, rule_111_112_stages_then_the_result)
{
	struct wire_operation op;
	struct digest action;
	struct rx_view got;
	bool executing = false;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "cat in > out; echo hi; echo oops >&2",
					      .output = "out" });
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0, "%s",
		  fx_status.message);
	for (size_t i = 0; i < fx_n_messages; i++) {
		struct wire_operation o = unpack(fx_messages[i]);

		cr_expect(o.has_metadata && digest_eq(&o.action, &action));
		cr_expect(o.done == (o.stage == STAGE_COMPLETED));
		cr_expect(o.done == (i + 1 == fx_n_messages));
		cr_expect_str_eq(o.name, op.name);
		cr_expect(!o.has_error, "REAPI rule 113");
		executing |= o.stage == STAGE_EXECUTING;
	}
	cr_expect(executing);
	cr_expect(op.status.code == 0, "%s", op.status.message);
	cr_assert(op.has_result && op.result.exit_code == 0 && !op.cached);
	cr_assert(op.result.n_outputs == 1);
	cr_expect(fx_download(fx_resource("", NULL, &op.result.outputs[0].digest), 0, 0, &got) ==
		  0);
	cr_expect(rx_view_eq_str(got, "input\n"));
	cr_expect(rx_view_eq_str(op.result.stdout_raw, "hi\n"));
	cr_expect(rx_view_eq_str(op.result.stderr_raw, "oops\n"));
	cr_expect(op.result.times.queued && op.result.times.queued <= op.result.times.worker_start);
}

Test(server_exec, rule_123_125_cached_the_second_time)
{
	struct wire_operation op;
	struct digest action;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "echo once" });
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0 && !op.cached);
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
	cr_expect(op.cached && op.result.exit_code == 0);
	cr_expect(rx_view_eq_str(op.result.stdout_raw, "once\n"));
	cr_assert(execute((struct wire_execute){ .action = action, .skip_cache_lookup = true },
			  &op) == 0);
	cr_expect(!op.cached);
	cr_assert(execute((struct wire_execute){ .action = action, .instance = "other" }, &op) ==
		  0);
	cr_expect(!op.cached);
}

Test(server_exec, rule_114_failures_are_results_and_not_cached)
{
	struct wire_operation op;
	struct digest action;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "echo no >&2; exit 3" });
	for (int i = 0; i < 2; i++) {
		cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
		cr_expect(op.status.code == 0 && op.result.exit_code == 3 && !op.cached);
		cr_expect(rx_view_eq_str(op.result.stderr_raw, "no\n"));
	}
}

static int look_up(const struct digest *action)
{
	struct rx_buf req = { 0 };

	wire_get_result_pack(&(struct wire_get_result){ .action = *action }, &req);
	return fx_unary(WIRE_AC "GetActionResult", &req, NULL);
}

Test(server_exec, rule_107_only_what_succeeded_is_stored)
{
	static const struct recipe bad[] = { { .script = "exit 1" },
					     { .script = "kill -9 $$" },
					     { .script = "sleep 20", .timeout_s = 1 },
					     { .script = "true", .do_not_cache = true } };
	struct wire_operation op;
	struct digest action;

	fx_start(defaults);
	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		action = make_action(bad[i]);
		cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
		cr_expect(look_up(&action) == RPC_NOT_FOUND, "%s", bad[i].script);
	}
	action = make_action((struct recipe){ .script = "true" });
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
	cr_expect(look_up(&action) == 0);
}

Test(server_exec, rule_124_do_not_cache)
{
	struct wire_operation op, first;
	struct call_reader *r;
	struct digest action;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "sleep 0.5", .do_not_cache = true });
	r = start((struct wire_execute){ .action = action });
	cr_assert(next(r, &first));
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
	cr_expect_str_neq(op.name, first.name, "not merged");
	cr_expect(!op.cached);
	op = last(r);
	cr_expect(op.done && op.status.code == 0);
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
	cr_expect(!op.cached);
}

Test(server_exec, rule_123_skipping_the_lookup_renews_the_entry)
{
	struct wire_operation first, again, cached;
	struct digest action;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "cat /proc/uptime; sleep 0.05" });
	cr_assert(execute((struct wire_execute){ .action = action }, &first) == 0);
	cr_assert(execute((struct wire_execute){ .action = action, .skip_cache_lookup = true },
			  &again) == 0);
	cr_expect(!again.cached && !rx_view_eq(first.result.stdout_raw, again.result.stdout_raw),
		  "it ran");
	cr_assert(execute((struct wire_execute){ .action = action }, &cached) == 0);
	cr_expect(cached.cached);
	cr_expect(rx_view_eq(cached.result.stdout_raw, again.result.stdout_raw));
}

Test(server_exec, rule_123_equal_actions_under_way_are_merged)
{
	struct wire_operation a, b, c;
	struct call_reader *r1, *r2, *r3;
	struct digest action;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "sleep 0.5; echo done" });
	r1 = start((struct wire_execute){ .action = action });
	cr_assert(next(r1, &a));
	r2 = start((struct wire_execute){ .action = action });
	r3 = start((struct wire_execute){ .action = action, .instance = "other" });
	cr_assert(next(r2, &b) && next(r3, &c));
	cr_expect_str_eq(a.name, b.name);
	cr_expect_str_neq(a.name, c.name);
	a = last(r1), b = last(r2), c = last(r3);
	cr_expect(a.done && b.done && c.done);
	cr_expect(rx_view_eq_str(b.result.stdout_raw, "done\n"));
}

Test(server_exec, rule_110_117_missing_action)
{
	struct digest action = fx_digest(RX_VIEW("an action that was never sent"));
	struct wire_status status;
	struct wire_operation op;
	struct rx_err err = { 0 };

	fx_start(defaults);
	cr_expect(execute((struct wire_execute){ .action = action }, &op) ==
		  RPC_FAILED_PRECONDITION);
	cr_assert(wire_status_unpack(&fx_arena, fx_status.details, &status, &err));
	cr_expect(status.all_missing && status.n_violations == 1);
	cr_expect(digest_eq(&status.violations[0].digest, &action));
}

Test(server_exec, rule_117_missing_command_and_input)
{
	struct digest action, in = fx_digest(RX_VIEW("input\n"));
	struct wire_operation op;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "true", .keep_command = true });
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
	cr_expect(op.status.code == RPC_FAILED_PRECONDITION && op.status.all_missing);
	cr_expect(op.status.n_violations == 1);
	fx_stop();
	cr_assert(system(arena_printf(&fx_arena, "rm -rf %s/cas/sha256/*", fx_dir)) == 0);
	fx_start(defaults);
	action = make_action((struct recipe){ .script = "true", .keep_input = true });
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
	cr_expect(op.status.code == RPC_FAILED_PRECONDITION && op.status.all_missing);
	cr_expect(op.status.n_violations == 1);
	cr_expect(digest_eq(&op.status.violations[0].digest, &in));
	/* and once it is there the same request goes through */
	fx_put(RX_VIEW("input\n"));
	cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
	cr_expect(op.status.code == 0 && op.result.exit_code == 0);
}

Test(server_exec, rule_115_timeout_keeps_the_partial_result)
{
	struct wire_operation op;
	struct digest action;

	fx_start(defaults);
	action = make_action((struct recipe){
		.script = "echo begun; sleep 30", .output = "out", .timeout_s = 1 });
	for (int i = 0; i < 2; i++) {
		cr_assert(execute((struct wire_execute){ .action = action }, &op) == 0);
		cr_expect(op.status.code == RPC_DEADLINE_EXCEEDED, "%s", op.status.message);
		cr_expect(!op.cached, "not cached (rule 114)");
		cr_expect(op.has_result && rx_view_eq_str(op.result.stdout_raw, "begun\n"));
	}
}

Test(server_exec, malformed_actions_are_refused)
{
	struct wire_operation op;
	struct digest junk;

	fx_start(defaults);
	junk = fx_put(RX_VIEW("\x0a\x40 not an action"));
	cr_expect(execute((struct wire_execute){ .action = junk }, &op) == RPC_INVALID_ARGUMENT);
	cr_expect(execute((struct wire_execute){ .action = { { 0 }, 0, 0, 0 } }, &op) ==
		  RPC_INVALID_ARGUMENT);
	cr_expect(execute((struct wire_execute){ .action = junk, .instance = "a//b" }, &op) ==
		  RPC_INVALID_ARGUMENT);
}

Test(server_exec, rule_120_121_wait_execution)
{
	struct wire_operation op, first;
	struct call_reader *r;
	struct digest action;
	struct rx_buf req = { 0 };

	fx_start(defaults);
	wire_name_pack("operations/00000000-0000-4000-8000-000000000000", &req);
	cr_expect(fx_read(WIRE_EXECUTION "WaitExecution", &req) == RPC_NOT_FOUND);

	action = make_action((struct recipe){ .script = "sleep 0.5; echo end" });
	r = start((struct wire_execute){ .action = action });
	cr_assert(next(r, &first));
	call_read_cancel(r);
	call_read_free(r);
	for (int i = 0; i < 2; i++) { /* under way, then finished */
		wire_name_pack(first.name, &req);
		cr_assert(fx_read(WIRE_EXECUTION "WaitExecution", &req) == 0, "%s",
			  fx_status.message);
		op = unpack(fx_messages[fx_n_messages - 1]);
		cr_expect(op.done && rx_view_eq_str(op.result.stdout_raw, "end\n"));
		cr_expect_str_eq(op.name, first.name);
	}
	cr_expect(by_name(WIRE_OPERATIONS "GetOperation", first.name, &op) == 0 && op.done);
	cr_expect(by_name(WIRE_OPERATIONS "GetOperation", "operations/x", &op) == RPC_NOT_FOUND);
	cr_expect(by_name(WIRE_OPERATIONS "CancelOperation", "operations/x", NULL) ==
		  RPC_NOT_FOUND);
}

Test(server_exec, rule_128_cancel_operation)
{
	struct server_options one = { .execution = true, .max_actions = 1 };
	struct wire_operation op, running, queued;
	struct call_reader *r1, *r2;
	struct digest a, b;
	int64_t begin;

	fx_start(one);
	a = make_action((struct recipe){ .script = "sleep 30" });
	b = make_action((struct recipe){ .script = "sleep 31" });
	begin = clock_mono_ns();
	r1 = start((struct wire_execute){ .action = a });
	do
		cr_assert(next(r1, &running));
	while (running.stage != STAGE_EXECUTING);
	r2 = start((struct wire_execute){ .action = b });
	cr_assert(next(r2, &queued));
	cr_expect(queued.stage == STAGE_QUEUED);
	cr_expect(by_name(WIRE_OPERATIONS "CancelOperation", queued.name, NULL) == 0);
	op = last(r2);
	cr_expect(op.done && op.status.code == RPC_CANCELLED);
	cr_expect(by_name(WIRE_OPERATIONS "CancelOperation", running.name, NULL) == 0);
	op = last(r1);
	cr_expect(op.done && op.status.code == RPC_CANCELLED, "%s", op.status.message);
	cr_expect(by_name(WIRE_OPERATIONS "CancelOperation", running.name, NULL) == 0,
		  "cancelling what is done changes nothing");
	cr_expect(clock_mono_ns() - begin < 10000000000);
}

Test(server_exec, rule_128_nobody_waits_any_more)
{
	struct server_options o = { .execution = true, .max_actions = 1, .orphan_ms = 200 };
	struct wire_operation first, op = { 0 };
	struct call_reader *r;
	struct digest action;

	fx_start(o);
	action = make_action((struct recipe){ .script = "sleep 30" });
	r = start((struct wire_execute){ .action = action });
	cr_assert(next(r, &first));
	call_read_cancel(r);
	call_read_free(r);
	for (int i = 0; i < 100 && !op.done; i++) {
		clock_sleep_ms(50);
		cr_assert(by_name(WIRE_OPERATIONS "GetOperation", first.name, &op) == 0);
	}
	cr_expect(op.done && op.status.code == RPC_CANCELLED);
}

Test(server_exec, rule_53_lower_values_run_sooner)
{
	struct server_options one = { .execution = true, .max_actions = 1 };
	struct wire_operation op, low, high, soon;
	struct call_reader *blocker, *r1, *r2, *r3;
	struct digest d[4];

	fx_start(one);
	for (int i = 0; i < 4; i++)
		d[i] = make_action((struct recipe){ .script = i ? "true" : "sleep 1",
						    .salt = arena_printf(&fx_arena, "%d", i) });
	blocker = start((struct wire_execute){ .action = d[0] });
	do
		cr_assert(next(blocker, &op));
	while (op.stage != STAGE_EXECUTING);
	r1 = start((struct wire_execute){ .action = d[1], .priority = 5 });
	cr_assert(next(r1, &op));
	r2 = start((struct wire_execute){ .action = d[2] });
	cr_assert(next(r2, &op));
	r3 = start((struct wire_execute){ .action = d[3], .priority = -5 });
	cr_assert(next(r3, &op));
	(void)last(blocker);
	low = last(r1), high = last(r2), soon = last(r3);
	cr_expect(soon.result.times.worker_start <= high.result.times.worker_start);
	cr_expect(high.result.times.worker_start <= low.result.times.worker_start);
}

Test(server_exec, read_only_runs_nothing)
{
	struct server_options o = defaults;
	struct wire_operation op;
	struct digest action;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "true" });
	fx_stop();
	o.read_only = true;
	fx_start(o);
	cr_expect(execute((struct wire_execute){ .action = action }, &op) == RPC_PERMISSION_DENIED);
}

Test(server_exec, stops_in_the_middle_of_actions)
{
	struct wire_operation op;
	struct call_reader *r;
	struct digest action;
	int64_t begin;

	fx_start(defaults);
	action = make_action((struct recipe){ .script = "sleep 30" });
	r = start((struct wire_execute){ .action = action });
	cr_assert(next(r, &op));
	begin = clock_mono_ns();
	server_free(fx_server, 100);
	fx_server = NULL;
	cr_expect(clock_mono_ns() - begin < 10000000000);
	call_read_free(r);
}

static volatile bool was_idle;
static void note_idle(void *ctx)
{
	(void)ctx;
	was_idle = true;
}

Test(server_exec, not_idle_while_an_action_runs)
{
	struct server_options o = {
		.execution = true, .idle_ms = 200, .on_idle = note_idle, .max_actions = 1
	};
	struct wire_operation op;
	struct call_reader *r;
	struct digest action;

	fx_start(o);
	action = make_action((struct recipe){ .script = "sleep 1" });
	r = start((struct wire_execute){ .action = action });
	cr_assert(next(r, &op));
	call_read_cancel(r);
	call_read_free(r);
	clock_sleep_ms(600);
	cr_expect(!was_idle);
	for (int i = 0; i < 200 && !was_idle; i++)
		clock_sleep_ms(20);
	cr_expect(was_idle);
}
