/* test_execution: REAPI rules 110-130 and 150 against servers that lose and break things. */
#include <criterion/criterion.h>

#include <pthread.h>

#include "clock.h"
#include "execution.h"
#include "log.h"
#include "lying_fixture.h"

static struct fixture f;
static struct digest action;
static struct arena arena;

static void start(void)
{
	fixture_start(&f);
	digest_of(DIGEST_SHA256, "action", 6, &action);
	lying_put(f.server, &action, RX_VIEW("action"));
	arena = (struct arena){ 0 };
}

static void stop(void)
{
	arena_release(&arena);
	fixture_stop(&f);
}

TestSuite(execution, .init = start, .fini = stop, .timeout = 60);

struct seen {
	enum wire_stage stages[16];
	size_t n_stages;
	struct digest uploaded;
	unsigned uploads;
	bool keeps_missing, breaks_next;
};

static void on_stage(void *ctx, enum wire_stage stage, const char *name)
{
	struct seen *s = ctx;

	cr_expect(strstr(name, "operations/"));
	if (s->n_stages < 16)
		s->stages[s->n_stages++] = stage;
}

static bool upload_missing(void *ctx, const struct digest *missing, size_t n, struct rx_err *err)
{
	struct seen *s = ctx;

	(void)err;
	cr_expect_eq(n, 1);
	s->uploaded = missing[0];
	s->uploads++;
	if (s->breaks_next)
		lying_tell(f.server, "execute-break-early", 1, 0);
	if (!s->keeps_missing)
		lying_put(f.server, &action, RX_VIEW("action"));
	return true;
}

static bool run(struct seen *s, struct execution_outcome *out, struct rx_err *err)
{
	*s = (struct seen){ .keeps_missing = s->keeps_missing, .breaks_next = s->breaks_next };
	return execution_run(fixture_client(&f),
			     &(struct execution_request){ .action = action,
							  .inline_stdout = true,
							  .upload_missing = upload_missing,
							  .on_stage = on_stage,
							  .ctx = s },
			     &arena, out, err);
}

static void run_good(struct seen *s, struct execution_outcome *out)
{
	struct rx_err err = { 0 };

	cr_assert(run(s, out, &err), "%s", rx_err_text(&err));
	cr_expect_eq(out->status.code, RPC_OK, "%s", out->status.message);
	cr_assert(out->has_result);
	cr_expect_eq(out->result.exit_code, 0);
	cr_assert_eq(out->result.n_outputs, 1);
	cr_expect_str_eq(out->result.outputs[0].path, "out.txt");
	cr_expect(rx_view_eq_str(out->result.stdout_raw, "hello\n"));
}

static void run_bad(enum rx_code code, int grpc, const char *text)
{
	struct execution_outcome out;
	struct rx_err err = { 0 };
	struct seen s = { 0 };

	cr_assert_not(run(&s, &out, &err));
	cr_expect_eq(err.code, code, "%s", rx_err_text(&err));
	if (code == RX_ERPC)
		cr_expect_eq(err.grpc_status, grpc, "%s", rx_err_text(&err));
	cr_expect(strstr(rx_err_text(&err), text), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

Test(execution, rule_111_runs_to_its_answer)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	run_good(&s, &out);
	cr_expect_eq(out.executes, 1);
	cr_expect_eq(out.waits, 0);
	cr_expect_str_eq(out.operation, "main/operations/1");
	cr_assert_eq(s.n_stages, 3);
	cr_expect_eq(s.stages[0], STAGE_QUEUED);
	cr_expect_eq(s.stages[1], STAGE_EXECUTING);
	cr_expect_eq(s.stages[2], STAGE_COMPLETED);
}

/* The deadline of other calls is not the action's. */
Test(execution, rule_127_no_deadline_of_a_call)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	f.settings.rpc_timeout_ms = 300;
	f.settings.retries = 0;
	f.settings.retries_set = true;
	lying_tell(f.server, "execute-slow", 1, 1000);
	run_good(&s, &out);
	cr_expect(out.executes == 1 && out.waits == 0);
}

/* The lying server names streams that it does not have; nobody minds. */
Test(execution, rule_129_streams_of_stdout_that_are_not_there)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	run_good(&s, &out);
	cr_expect_eq(lying_calls(f.server, "Read"), 0);
}

Test(execution, rule_112_stages_may_go_backwards)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "stages-backwards", -1, 0);
	run_good(&s, &out);
	cr_expect_eq(s.n_stages, 5);
}

Test(execution, rule_120_a_break_is_waited_out)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "execute-break-stream", -1, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 1);
	cr_expect_eq(out.waits, 1);
}

/* Rule 126 too: an action may run twice, so asking again is safe. */
Test(execution, rule_120_a_break_before_the_operation_executes_again)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "execute-break-early", 2, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 3);
	cr_expect_eq(out.waits, 0);
}

Test(execution, rule_120_an_end_without_answer_is_a_break)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "execute-end-without-done", -1, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 1);
	cr_expect_eq(out.waits, 1);
}

Test(execution, rule_122_waits_go_on_while_there_is_progress)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "execute-break-stream", -1, 0);
	lying_tell(f.server, "wait-break-stream", 8, 0); /* more than the tries */
	run_good(&s, &out);
	cr_expect_eq(out.executes, 1);
	cr_expect_eq(out.waits, 9);
}

Test(execution, rule_121_a_lost_operation_is_executed_again)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "execute-break-stream", 2, 0);
	lying_tell(f.server, "wait-not-found", -1, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 3);
	cr_expect_eq(out.waits, 2);
}

Test(execution, rule_121_losing_it_for_ever_ends)
{
	lying_tell(f.server, "execute-break-stream", -1, 0);
	lying_tell(f.server, "wait-not-found", -1, 0);
	run_bad(RX_ERPC, RPC_NOT_FOUND, "WaitExecution: NOT_FOUND");
	cr_expect(lying_calls(f.server, "Execute") <= 10);
}

Test(execution, rule_121_without_wait_execution)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "execute-break-stream", 2, 0);
	lying_tell(f.server, "wait-unimplemented", -1, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 3);
	cr_expect_eq(out.waits, 1, "asked once only");
}

Test(execution, rule_118_missing_blobs_in_the_status_are_uploaded)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_forget(f.server, &action);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 2);
	cr_expect_eq(s.uploads, 1);
	cr_expect(digest_eq(&s.uploaded, &action));
}

Test(execution, rule_118_missing_blobs_in_the_response_are_uploaded)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "missing-violations-response", 1, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 2);
	cr_expect_eq(s.uploads, 1);
}

Test(execution, rule_117_missing_blobs_in_the_status_of_an_operation)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "missing-violations-late", 1, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 2);
	cr_expect_eq(out.waits, 0);
	cr_expect_eq(s.uploads, 1);
}

/* The operation of the run before is not the one to wait for. */
Test(execution, rule_120_a_new_run_that_breaks_early_executes_again)
{
	struct execution_outcome out;
	struct seen s = { .breaks_next = true };

	lying_tell(f.server, "missing-violations-response", 1, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 3);
	cr_expect_eq(out.waits, 0);
}

Test(execution, rule_118_missing_for_ever_ends)
{
	lying_tell(f.server, "missing-violations-rpc", -1, 0);
	run_bad(RX_ERPC, RPC_FAILED_PRECONDITION, "is missing, also after it was sent");
	cr_expect(lying_calls(f.server, "Execute") <= 10);
}

Test(execution, rule_119_other_violations_are_final)
{
	struct execution_outcome out;
	struct rx_err err = { 0 };
	struct seen s = { 0 };

	lying_tell(f.server, "invalid-violations", -1, 0);
	cr_assert_not(run(&s, &out, &err));
	cr_expect_eq(err.grpc_status, RPC_FAILED_PRECONDITION);
	cr_expect(strstr(rx_buf_str(&err.hint), "INVALID platform: no such pool"), "%s",
		  rx_buf_str(&err.hint));
	cr_expect_eq(lying_calls(f.server, "Execute"), 1);
	cr_expect_eq(s.uploads, 0);
	rx_err_release(&err);
}

Test(execution, rule_113_operation_error_is_a_failure)
{
	struct execution_outcome out;
	struct rx_err err = { 0 };
	struct seen s = { 0 };

	lying_tell(f.server, "operation-error", -1, 0);
	cr_assert(run(&s, &out, &err), "%s", rx_err_text(&err));
	cr_expect_eq(out.status.code, RPC_INVALID_ARGUMENT);
	cr_expect_str_eq(out.status.message, "said by Operation.error");
	cr_expect_not(out.has_result);
}

Test(execution, done_without_answer_is_refused)
{
	lying_tell(f.server, "done-without-response", -1, 0);
	run_bad(RX_EPARSE, 0, "neither response nor error");
}

Test(execution, rule_115_deadline_in_the_response_is_the_actions_timeout)
{
	struct execution_outcome out;
	struct rx_err err = { 0 };
	struct seen s = { 0 };

	lying_tell(f.server, "deadline-in-response", -1, 0);
	cr_assert(run(&s, &out, &err), "%s", rx_err_text(&err));
	cr_expect(out.timed_out);
	cr_expect(out.has_result, "REAPI rule 114: what there is of it is kept");
	cr_expect_eq(out.executes, 1, "not tried again");
}

Test(execution, rule_150_a_lost_worker_is_executed_again)
{
	struct execution_outcome out;
	struct seen s = { 0 };

	lying_tell(f.server, "unavailable-in-response", 2, 0);
	run_good(&s, &out);
	cr_expect_eq(out.executes, 3);
}

Test(execution, rule_150_workers_lost_for_ever_are_reported)
{
	struct execution_outcome out;
	struct rx_err err = { 0 };
	struct seen s = { 0 };

	f.settings.retries = 1;
	lying_tell(f.server, "unavailable-in-response", -1, 0);
	cr_assert(run(&s, &out, &err), "%s", rx_err_text(&err));
	cr_expect_eq(out.status.code, RPC_UNAVAILABLE);
	cr_expect_eq(out.executes, 2);
}

Test(execution, rule_42_a_server_that_does_not_execute_is_not_asked)
{
	lying_tell(f.server, "no-execution", -1, 0);
	run_bad(RX_EUSAGE, 0, "does not execute actions");
	cr_expect_eq(lying_calls(f.server, "Execute"), 0);
}

Test(execution, rule_144_escaping_output_paths_are_refused)
{
	lying_tell(f.server, "escaping-paths", -1, 0);
	run_bad(RX_EPARSE, 0, "../x");
	lying_tell(f.server, "escaping-paths", -1, 1);
	run_bad(RX_EPARSE, 0, "/x");
}

static void *stop_the_program(void *arg)
{
	(void)arg;
	clock_sleep_ms(200);
	rx_cancel_set();
	loop_cancel_all(f.loop);
	return NULL;
}

Test(execution, rule_128_stopping_the_program_ends_the_stream)
{
	struct execution_outcome out;
	struct rx_err err = { 0 };
	struct seen s = { 0 };
	pthread_t t;

	cr_assert(caps_get(fixture_client(&f), &err));
	lying_tell(f.server, "hang", -1, 0);
	cr_assert_eq(pthread_create(&t, NULL, stop_the_program, NULL), 0);
	cr_assert_not(run(&s, &out, &err));
	cr_expect_eq(err.code, RX_ECANCEL, "%s", rx_err_text(&err));
	pthread_join(t, NULL);
	rx_err_release(&err);
}

Test(execution, garbage_is_refused)
{
	struct rx_err err = { 0 };

	cr_assert(caps_get(fixture_client(&f), &err));
	lying_tell(f.server, "bad-protobuf", -1, 0);
	run_bad(RX_EPARSE, 0, "Execute");
}
