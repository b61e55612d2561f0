/* test_worker: actions from digests to results: loading, refusing, running, collecting. */
#include <criterion/criterion.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "memory_store.h"
#include "rpc_status.h"
#include "running.h"
#include "wire_action.h"
#include "wire_tree.h"
#include "utf8.h"
#include "worker.h"
#include "worker_parts.h"

TestSuite(worker, .timeout = 60);

#define F DIGEST_SHA256

struct bench {
	struct memory_store store;
	struct scratch scratch;
	struct runner *runner;
	struct arena a;
	struct action action;
	struct worker_options o;
	struct worker_outcome out;
	struct rx_err err;
	int executing;
};

static void bench_init(struct bench *b, enum runner_sandbox kind)
{
	*b = (struct bench){ .runner = running_runner(kind) };
	memory_store_init(&b->store);
	scratch_init(&b->scratch);
	b->o = (struct worker_options){ .runner = b->runner,
					.scratch_dir = b->scratch.path,
					.inputs = &b->store.source,
					.outputs = &b->store.sink,
					.function = F,
					.name = "test" };
	b->action.cwd = "";
	digest_empty(F, &b->action.input_root);
}

/* Nothing of an action stays behind. */
static void bench_release(struct bench *b)
{
	struct rx_err err = { 0 };

	cr_expect(unlinkat(AT_FDCWD, b->scratch.path, AT_REMOVEDIR) == 0,
		  "the scratch directory is not empty");
	cr_assert_eq(mkdir(b->scratch.path, 0700), 0);
	scratch_release(&b->scratch);
	runner_free(b->runner);
	digest_list_release(&b->out.missing);
	memory_store_release(&b->store);
	arena_release(&b->a);
	rx_err_release(&err);
	rx_err_release(&b->err);
}

static struct digest put(struct bench *b, struct rx_view bytes)
{
	struct digest d;

	digest_of_view(F, bytes, &d);
	cr_assert(memory_keep(&b->store, &d, bytes));
	return d;
}

static struct digest put_directory(struct bench *b, struct directory *d)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { 0 };

	wire_directory_pack(d, &bytes);
	return put(b, rx_view_of(&bytes));
}

static const char **strings(struct bench *b, size_t n, const char *const *v)
{
	return arena_copy(&b->a, v, n * sizeof(*v));
}
#define STRINGS(b, field, ...)                                                                     \
	do {                                                                                       \
		const char *const v_[] = { __VA_ARGS__ };                                          \
		(b)->action.field = strings((b), RX_COUNT(v_), v_);                                \
		(b)->action.n_##field = RX_COUNT(v_);                                              \
	} while (0)

static void sh(struct bench *b, const char *script)
{
	static struct action_pair path[] = { { "PATH", "/usr/bin:/bin" } };

	STRINGS(b, argv, "/bin/sh", "-c", script);
	b->action.env = path;
	b->action.n_env = 1;
}

static void note_executing(void *ctx)
{
	((struct bench *)ctx)->executing++;
}

static void run(struct bench *b)
{
	digest_list_release(&b->out.missing);
	b->out = (struct worker_outcome){ 0 };
	cr_assert(worker_run(&b->o, &b->action, NULL, note_executing, b, &b->a, &b->out, &b->err),
		  "%s", rx_err_text(&b->err));
}

static const char *content(struct bench *b, const struct digest *d)
{
	const struct rx_view *v = memory_get(&b->store, d);

	return v ? arena_strn(&b->a, v->p, v->n) : "(absent)";
}

static void expect_refused(struct bench *b, int code, const char *why)
{
	cr_expect_eq(b->out.how, WORKER_REFUSED);
	if (b->out.how != WORKER_REFUSED)
		return;
	cr_expect_eq(b->out.grpc_code, code, "%s", b->out.why);
	cr_expect(strstr(b->out.why, why), "%s", b->out.why);
}

#define EACH(name)                                                                                 \
	static void name(struct bench *b);                                                         \
	Test(worker, name##_sandboxed)                                                             \
	{                                                                                          \
		struct bench b;                                                                    \
		bench_init(&b, RUNNER_NAMESPACE);                                                  \
		name(&b);                                                                          \
		bench_release(&b);                                                                 \
	}                                                                                          \
	Test(worker, name##_as_user)                                                               \
	{                                                                                          \
		struct bench b;                                                                    \
		become_user();                                                                     \
		bench_init(&b, RUNNER_NAMESPACE);                                                  \
		name(&b);                                                                          \
		bench_release(&b);                                                                 \
	}                                                                                          \
	Test(worker, name##_bare)                                                                  \
	{                                                                                          \
		struct bench b;                                                                    \
		bench_init(&b, RUNNER_NONE);                                                       \
		name(&b);                                                                          \
		bench_release(&b);                                                                 \
	}                                                                                          \
	static void name(struct bench *b)

/* An input root: a file, a program, a link, a directory with a file. */
static void inputs(struct bench *b)
{
	struct file_node sub_files[] = { { .name = "deep.txt",
					   .digest = put(b, RX_VIEW("deep\n")) } };
	struct directory sub = { .files = sub_files, .n_files = 1 };
	struct file_node files[] = {
		{ .name = "in.txt", .digest = put(b, RX_VIEW("input\n")) },
		{ .name = "tool",
		  .digest = put(b, RX_VIEW("#!/bin/sh\ncat in.txt\n")),
		  .is_executable = true },
	};
	struct directory_node dirs[] = { { .name = "sub", .digest = put_directory(b, &sub) } };
	struct symlink_node links[] = { { .name = "link", .target = "sub/deep.txt" } };
	struct directory root = { .files = files,
				  .n_files = 2,
				  .dirs = dirs,
				  .n_dirs = 1,
				  .links = links,
				  .n_links = 1 };

	b->action.input_root = put_directory(b, &root);
}

EACH(runs_an_action)
{
	inputs(b);
	sh(b, "./tool; cat link; echo warn >&2; mkdir -p tree/a; echo 1 >tree/a/1; ln -s x tree/l;"
	      "cat in.txt in.txt >out/o; chmod 755 out/o; ln -s out/o ln");
	STRINGS(b, output_paths, "ln", "never", "out/o", "tree");
	run(b);
	cr_assert_eq(b->out.how, WORKER_DONE, "%s", b->out.why);
	cr_expect_eq(b->executing, 1);
	cr_expect_eq(b->out.result.exit_code, 0);
	cr_expect(rx_view_eq_str(b->out.result.stdout_raw, "input\ndeep\n"), "%.*s",
		  (int)b->out.result.stderr_raw.n, b->out.result.stderr_raw.p);
	cr_expect_str_eq(content(b, &b->out.result.stdout_digest), "input\ndeep\n");
	cr_expect_str_eq(content(b, &b->out.result.stderr_digest), "warn\n");
	cr_expect_str_eq(b->out.result.worker, "test");
	/* REAPI rule 136: what was not produced is left out, without an error */
	cr_assert_eq(b->out.result.n_outputs, 3);
	cr_expect_str_eq(b->out.result.outputs[0].target, "out/o");
	cr_expect_str_eq(content(b, &b->out.result.outputs[1].digest), "input\ninput\n");
	cr_expect(b->out.result.outputs[1].is_executable);
	cr_expect_eq(b->out.result.outputs[2].kind, NODE_DIRECTORY);
	cr_expect(memory_get(&b->store, &b->out.result.outputs[2].tree_digest) != NULL);
	cr_expect_gt(b->out.result.times.worker_start, 0);
	cr_expect_geq(b->out.result.times.execution_start, b->out.result.times.input_completed);
	cr_expect_geq(b->out.result.times.worker_completed, b->out.result.times.output_completed);
}

EACH(a_failing_action_is_a_result)
{
	sh(b, "echo kept >out; exit 9");
	STRINGS(b, output_paths, "out");
	run(b);
	cr_expect_eq(b->out.how, WORKER_DONE);
	cr_expect_eq(b->out.result.exit_code, 9);
	cr_expect_eq(b->out.result.n_outputs, 1);
	cr_expect_not(digest_is_set(&b->out.result.stdout_digest));
}

EACH(large_output_is_only_a_blob)
{
	sh(b, "head -c 200000 /dev/zero");
	run(b);
	cr_expect_eq(b->out.result.stdout_digest.size, 200000);
	cr_expect_eq(b->out.result.stdout_raw.n, 0);
	cr_expect(memory_get(&b->store, &b->out.result.stdout_digest) != NULL);
}

EACH(scripts_may_open_their_output_anew)
{
	sh(b, "echo a; echo b >/dev/stdout; echo c; echo d >/dev/stderr");
	run(b);
	cr_expect_eq(b->out.result.exit_code, 0);
	cr_expect(rx_view_eq_str(b->out.result.stderr_raw, "d\n"));
}

/* An action cannot harm the store: it has copies. */
EACH(inputs_are_isolated)
{
	inputs(b);
	b->store.delivery = MEMORY_FILES;
	sh(b, "stat -c %h:%a in.txt tool; chmod u+w in.txt; echo x >>in.txt; mv sub gone; rm tool");
	run(b);
	cr_expect(rx_view_eq_str(b->out.result.stdout_raw, "1:444\n1:555\n"));
	cr_expect_eq(b->out.result.exit_code, 0, "%.*s", (int)b->out.result.stderr_raw.n,
		     b->out.result.stderr_raw.p);
	sh(b, "./tool");
	run(b);
	cr_expect(rx_view_eq_str(b->out.result.stdout_raw, "input\n"));
}

EACH(hostile_leftovers_are_removed)
{
	sh(b, "mkdir -p a/b/c; echo x >a/b/c/f; ln -s / a/root; ln -s . a/loop; mkfifo a/fifo;"
	      "chmod 0 a/b/c; chmod 0 a/b; chmod 0 a;"
	      "i=0; mkdir d; cd d; while [ $i -lt 300 ]; do mkdir d && cd d && i=$((i+1)); done; "
	      "true");
	run(b);
	cr_expect_eq(b->out.how, WORKER_DONE);
	cr_expect_eq(access("/usr", F_OK), 0);
}

/* REAPI rule 115 */
EACH(rule_115_a_timeout_keeps_what_there_is)
{
	sh(b, "echo partial; echo x >out; sleep 60");
	STRINGS(b, output_paths, "out");
	b->action.has_timeout = true;
	b->action.timeout_ns = 400000000;
	run(b);
	cr_expect_eq(b->out.how, WORKER_TIMED_OUT);
	cr_expect(rx_view_eq_str(b->out.result.stdout_raw, "partial\n"));
	cr_expect_eq(b->out.result.n_outputs, 1);
}

/* REAPI rule 116 */
Test(worker, rule_116_timeouts_default_and_maximum)
{
	struct bench b;

	bench_init(&b, RUNNER_NONE);
	sh(&b, "sleep 60");
	b.o.max_timeout_ms = 300;
	run(&b);
	cr_expect_eq(b.out.how, WORKER_TIMED_OUT, "the maximum holds without a timeout too");
	b.o.default_timeout_ms = 200;
	b.o.max_timeout_ms = 0;
	run(&b);
	cr_expect_eq(b.out.how, WORKER_TIMED_OUT);
	b.o.max_timeout_ms = 5000;
	b.action.has_timeout = true;
	b.action.timeout_s = 6;
	run(&b);
	expect_refused(&b, RPC_FAILED_PRECONDITION, "maximum");
	b.action.timeout_s = INT64_MAX;
	run(&b);
	expect_refused(&b, RPC_FAILED_PRECONDITION, "maximum");
	b.action.timeout_s = 5;
	sh(&b, "true");
	run(&b);
	cr_expect_eq(b.out.how, WORKER_DONE);
	b.o.max_timeout_ms = 0; /* longer than can be counted: no timeout */
	b.action.timeout_s = INT64_MAX;
	run(&b);
	cr_expect_eq(b.out.how, WORKER_DONE);
	bench_release(&b);
}

/* REAPI rule 117 */
EACH(rule_117_missing_files_are_listed)
{
	struct digest lost[2];

	inputs(b);
	digest_of_view(F, RX_VIEW("input\n"), &lost[0]);
	digest_of_view(F, RX_VIEW("deep\n"), &lost[1]);
	memory_lose(&b->store, &lost[0]);
	memory_lose(&b->store, &lost[1]);
	sh(b, "true");
	run(b);
	cr_expect_eq(b->out.how, WORKER_MISSING_INPUTS);
	cr_assert_eq(b->out.missing.n, 2);
	cr_expect(digest_eq(&b->out.missing.v[0], &lost[0]) ||
		  digest_eq(&b->out.missing.v[1], &lost[0]));
	cr_expect_eq(b->executing, 0);
}

/* REAPI rule 133 */
EACH(rule_133_parents_of_outputs_are_there)
{
	sh(b, "[ -d a/b ] && [ ! -e a/b/c ] && [ -d x ] && [ ! -e x/d ] && echo made");
	b->action.cwd = "";
	STRINGS(b, output_files, "a/b/c");
	STRINGS(b, output_directories, "x/d");
	run(b);
	cr_expect(rx_view_eq_str(b->out.result.stdout_raw, "made\n"));
	b->action.n_output_files = b->action.n_output_directories = 0;
	STRINGS(b, output_paths, "a/b/c", "x/d");
	run(b);
	cr_expect(rx_view_eq_str(b->out.result.stdout_raw, "made\n"));
}

/* REAPI rule 131 */
EACH(rule_131_old_lists_count_only_alone)
{
	sh(b, "echo x >new; echo x >old");
	STRINGS(b, output_paths, "new");
	STRINGS(b, output_files, "old");
	run(b);
	cr_assert_eq(b->out.result.n_outputs, 1);
	cr_expect_str_eq(b->out.result.outputs[0].path, "new");
}

/* REAPI rule 134 */
EACH(rule_134_the_working_directory_must_exist)
{
	inputs(b);
	sh(b, "cat deep.txt >out; pwd");
	STRINGS(b, output_paths, "out");
	b->action.cwd = "sub";
	run(b);
	cr_assert_eq(b->out.how, WORKER_DONE, "%s", b->out.why);
	cr_assert_eq(b->out.result.n_outputs, 1);
	cr_expect_str_eq(b->out.result.outputs[0].path, "out");
	if (runner_sandbox_kind(b->runner) == RUNNER_NAMESPACE)
		cr_expect(rx_view_eq_str(b->out.result.stdout_raw, "/remex/root/sub\n"));
	b->action.cwd = "nowhere";
	run(b);
	expect_refused(b, RPC_INVALID_ARGUMENT, "working directory 'nowhere'");
	b->action.cwd = "in.txt";
	run(b);
	expect_refused(b, RPC_INVALID_ARGUMENT, "working directory");
	b->action.cwd = "../..";
	run(b);
	expect_refused(b, RPC_INVALID_ARGUMENT, "working directory");
}

/* REAPI rule 135 */
EACH(rule_135_a_command_that_is_not_there_is_a_result)
{
	STRINGS(b, argv, "no-such-command");
	run(b);
	cr_expect_eq(b->out.how, WORKER_DONE);
	cr_expect_eq(b->out.result.exit_code, 127);
	cr_expect(rx_view_eq_str(b->out.result.stderr_raw,
				 "remex: no-such-command: command not found\n"));
}

/* REAPI rule 137: a link is one output, a link. */
EACH(rule_137_each_path_once)
{
	sh(b, "echo x >f; ln -s f l; mkdir d; ln -s d ld");
	STRINGS(b, output_paths, "d", "f", "l", "ld");
	run(b);
	cr_assert_eq(b->out.result.n_outputs, 4);
	cr_expect_eq(b->out.result.outputs[2].kind, NODE_SYMLINK);
	cr_expect_eq(b->out.result.outputs[3].kind, NODE_SYMLINK);
}

/* REAPI rule 138 */
EACH(rule_138_old_lists_check_the_kind)
{
	sh(b, "mkdir out");
	STRINGS(b, output_files, "out");
	run(b);
	expect_refused(b, RPC_FAILED_PRECONDITION, "'out'");
	b->action.n_output_files = 0;
	sh(b, "echo x >out");
	STRINGS(b, output_directories, "out");
	run(b);
	expect_refused(b, RPC_FAILED_PRECONDITION, "'out'");
}

EACH(special_outputs_are_refused)
{
	sh(b, "mkfifo out");
	STRINGS(b, output_paths, "out");
	run(b);
	expect_refused(b, RPC_INVALID_ARGUMENT, "out");
}

/* An output is read where it lies: never through a link that leads out. */
EACH(rule_144_outputs_do_not_lead_out)
{
	sh(b, "rmdir d 2>/dev/null; ln -s /etc d");
	STRINGS(b, output_paths, "d/passwd");
	run(b);
	cr_expect(b->out.how == WORKER_REFUSED || b->out.result.n_outputs == 0);
	for (size_t i = 0; i < 3; i++) {
		const char *bad[] = { "/etc/passwd", "../x", "a//b" };

		b->action.output_paths[0] = bad[i];
		sh(b, "true");
		run(b);
		cr_expect_eq(b->out.how, WORKER_REFUSED, "%s", bad[i]);
	}
}

EACH(malformed_commands_are_refused)
{
	struct action_pair bad[] = { { "A=B", "" } };

	run(b);
	expect_refused(b, RPC_INVALID_ARGUMENT, "no arguments");
	sh(b, "true");
	b->action.env = bad;
	run(b);
	expect_refused(b, RPC_INVALID_ARGUMENT, "environment");
	sh(b, "true");
	b->action.marks = MARK_UNSORTED;
	run(b);
	expect_refused(b, RPC_INVALID_ARGUMENT, "sorted");
	b->action.marks = MARK_SYMLINK_ABSOLUTE;
	run(b);
	cr_expect_eq(b->out.how, WORKER_DONE);
}

EACH(a_cancelled_action_is_no_result)
{
	volatile bool cancel = true;

	sh(b, "sleep 60");
	cr_assert(worker_run(&b->o, &b->action, &cancel, NULL, NULL, &b->a, &b->out, &b->err));
	cr_expect_eq(b->out.how, WORKER_CANCELLED);
}

/* ---- loading ---- */

static struct digest put_action(struct bench *b)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf command = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf action = { 0 };

	wire_command_pack(&b->action, WIRE_OUTPUT_AS_IS, &command);
	b->action.command_digest = put(b, rx_view_of(&command));
	wire_action_pack(&b->action, &action);
	return put(b, rx_view_of(&action));
}

static void load(struct bench *b, const struct digest *d, struct action *out)
{
	*out = (struct action){ 0 };
	digest_list_release(&b->out.missing);
	b->out = (struct worker_outcome){ 0 };
	cr_assert(worker_load(&b->store.source, d, &b->a, out, &b->out, &b->err), "%s",
		  rx_err_text(&b->err));
}

Test(worker, loads_what_was_packed)
{
	struct bench b;
	struct action action;
	struct digest d;

	bench_init(&b, RUNNER_NONE);
	inputs(&b);
	sh(&b, "exit 4");
	STRINGS(&b, output_paths, "a", "b");
	b.action.has_timeout = true;
	b.action.timeout_s = 5;
	d = put_action(&b);
	load(&b, &d, &action);
	cr_expect_eq(b.out.how, WORKER_DONE);
	cr_expect_eq(action.n_argv, 3);
	cr_expect_eq(action.timeout_s, 5);
	cr_expect(digest_eq(&action.digest, &d));
	b.action = action;
	run(&b);
	cr_expect_eq(b.out.result.exit_code, 4);
	bench_release(&b);
}

/* trexe 1.4 says "." for the root and sends output paths as they were given. */
Test(worker, rules_132_and_134_paths_need_not_be_clean_but_stay_below_the_root)
{
	static const struct {
		const char *cwd, *output, *settled; /* NULL: refused */
	} cases[] = {
		{ ".", "out", "" },         { "./sub/", "out", "sub" },
		{ "sub", "../out", "sub" }, { "sub/../sub", "a", "sub" },
		{ "..", "out", NULL },      { "/tmp", "out", NULL },
		{ ".", "../out", NULL },    { "sub", "../../out", NULL },
		{ ".", "/out", NULL },      { ".", "out/", NULL },
	};
	struct bench b;

	bench_init(&b, RUNNER_NONE);
	inputs(&b);
	sh(&b, "true");
	for (size_t i = 0; i < RX_COUNT(cases); i++) {
		struct action action;
		struct digest d;

		b.action.cwd = cases[i].cwd;
		STRINGS(&b, output_paths, cases[i].output);
		d = put_action(&b);
		load(&b, &d, &action);
		if (!cases[i].settled) {
			cr_expect_eq(b.out.how, WORKER_REFUSED, "%zu", i);
			cr_expect_eq(b.out.grpc_code, RPC_INVALID_ARGUMENT);
			continue;
		}
		cr_expect_eq(b.out.how, WORKER_DONE, "%zu: %s", i, b.out.why);
		cr_expect_str_eq(action.cwd, cases[i].settled);
	}
	bench_release(&b);
}

/* REAPI rule 133: its directory is made, beside the working directory as well as below. */
EACH(rule_133_an_output_beside_the_working_directory)
{
	inputs(b);
	sh(b, "echo x >../made/out");
	STRINGS(b, output_paths, "../made/out");
	b->action.cwd = "sub";
	run(b);
	cr_assert_eq(b->out.how, WORKER_DONE, "%s", b->out.why);
	cr_assert_eq(b->out.result.n_outputs, 1);
	cr_expect_str_eq(b->out.result.outputs[0].path, "../made/out");
}

/* REAPI rules 110 and 117: everything that is missing at once. */
Test(worker, rule_117_loading_lists_what_is_missing)
{
	struct bench b;
	struct action action;
	struct digest d, sub;
	struct file_node file = { .name = "deep.txt" };
	struct directory dir = { .files = &file, .n_files = 1 };

	bench_init(&b, RUNNER_NONE);
	inputs(&b);
	file.digest = put(&b, RX_VIEW("deep\n"));
	sub = put_directory(&b, &dir);
	sh(&b, "true");
	d = put_action(&b);
	memory_lose(&b.store, &b.action.command_digest);
	memory_lose(&b.store, &sub);
	load(&b, &d, &action);
	cr_expect_eq(b.out.how, WORKER_MISSING_INPUTS);
	cr_assert_eq(b.out.missing.n, 2);
	cr_expect(digest_eq(&b.out.missing.v[0], &b.action.command_digest));
	cr_expect(digest_eq(&b.out.missing.v[1], &sub));
	memory_lose(&b.store, &d);
	load(&b, &d, &action);
	cr_assert_eq(b.out.missing.n, 1);
	cr_expect(digest_eq(&b.out.missing.v[0], &d));
	bench_release(&b);
}

/* REAPI rule 17: run or refuse; this server refuses, saying what. */
Test(worker, why_it_refuses_stays_text_when_it_is_cut)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	char path[4096];

	for (size_t i = 0; i + 2 < sizeof(path); i += 2)
		memcpy(path + i, "\xc3\xa9", 3);
	for (size_t shift = 0; shift < 2; shift++) {
		struct worker_outcome out = { 0 };
		(void)!worker_refuse(&out, &a, 9, "%s%s", shift ? "x" : "", path);
		cr_assert(strlen(out.why) > 1000);
		cr_expect(utf8_valid(out.why, strlen(out.why)), "shifted by %zu", shift);
	}
}

Test(worker, rule_17_refuses_what_is_not_canonical)
{
	struct bench b;
	struct action action;
	struct digest d, x;
	struct file_node files[] = { { .name = "b" }, { .name = "a" } };
	struct directory dir = { .files = files, .n_files = 2 };
	struct action_pair env[] = { { "B", "" }, { "A", "" } };

	bench_init(&b, RUNNER_NONE);
	x = put(&b, RX_VIEW("x"));
	files[0].digest = files[1].digest = x;
	sh(&b, "true");
	b.action.env = env;
	b.action.n_env = 2;
	d = put_action(&b);
	load(&b, &d, &action);
	expect_refused(&b, RPC_INVALID_ARGUMENT, "Command");
	sh(&b, "true");
	b.action.input_root = put_directory(&b, &dir);
	d = put_action(&b);
	load(&b, &d, &action);
	expect_refused(&b, RPC_INVALID_ARGUMENT, "Directory");
	files[0].name = "a";
	b.action.input_root = put_directory(&b, &dir);
	run(&b);
	expect_refused(&b, RPC_INVALID_ARGUMENT, "");
	STRINGS(&b, output_paths, "../up");
	digest_empty(F, &b.action.input_root);
	d = put_action(&b);
	load(&b, &d, &action);
	expect_refused(&b, RPC_INVALID_ARGUMENT, "output path");
	bench_release(&b);
}

Test(worker, refuses_what_is_no_message)
{
	struct bench b;
	struct action action;
	struct digest d;

	bench_init(&b, RUNNER_NONE);
	d = put(&b, RX_VIEW("\xff\xff\xff\xff"));
	load(&b, &d, &action);
	expect_refused(&b, RPC_INVALID_ARGUMENT, "Action");
	sh(&b, "true");
	b.action.input_root = d;
	d = put_action(&b);
	load(&b, &d, &action);
	expect_refused(&b, RPC_INVALID_ARGUMENT, "Directory");
	d.size = INT64_C(1) << 40;
	load(&b, &d, &action);
	expect_refused(&b, RPC_INVALID_ARGUMENT, "larger");
	bench_release(&b);
}

Test(worker, the_host_space_is_stable_and_tells_sandboxes_apart)
{
	char a[65], b[65], c[65];

	worker_host_space(RUNNER_NAMESPACE, a);
	worker_host_space(RUNNER_NAMESPACE, b);
	worker_host_space(RUNNER_NONE, c);
	cr_expect_eq(strlen(a), 64);
	cr_expect_str_eq(a, b);
	cr_expect_str_neq(a, c);
}
