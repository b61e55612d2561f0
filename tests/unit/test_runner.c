/* test_runner: starting commands, their ends, their surroundings; with and without a sandbox. */
#include "running.h"

#include <pthread.h>
#include <signal.h>

#include "clock.h"

TestSuite(runner, .timeout = 60);

/* Each behaviour holds in the sandbox (as whoever runs the tests, and as an ordinary user) and
 * without one. */
#define EACH(name)                                                                                 \
	static void name(struct running *t);                                                       \
	Test(runner, name##_sandboxed)                                                             \
	{                                                                                          \
		struct running t;                                                                  \
		running_init(&t, RUNNER_NAMESPACE);                                                \
		name(&t);                                                                          \
		running_release(&t);                                                               \
	}                                                                                          \
	Test(runner, name##_as_user)                                                               \
	{                                                                                          \
		struct running t;                                                                  \
		become_user();                                                                     \
		running_init(&t, RUNNER_NAMESPACE);                                                \
		name(&t);                                                                          \
		running_release(&t);                                                               \
	}                                                                                          \
	Test(runner, name##_bare)                                                                  \
	{                                                                                          \
		struct running t;                                                                  \
		running_init(&t, RUNNER_NONE);                                                     \
		name(&t);                                                                          \
		running_release(&t);                                                               \
	}                                                                                          \
	static void name(struct running *t)

EACH(reports_the_exit_code)
{
	cr_expect_str_eq(running_sh(t, "echo out; echo err >&2; exit 7"), "out\n");
	cr_expect_str_eq(rx_buf_str(&t->err_out), "err\n");
	cr_expect_eq(t->result.how, RUNNER_EXITED);
	cr_expect_eq(t->result.exit_code, 7);
	cr_expect_gt(t->result.start_ns, INT64_C(1600000000000000000));
	cr_expect_geq(t->result.end_ns, t->result.start_ns);
}

EACH(reports_the_signal)
{
	(void)running_sh(t, "kill -SEGV $$");
	cr_expect_eq(t->result.how, RUNNER_SIGNALED);
	cr_expect_eq(t->result.signal, SIGSEGV);
	cr_expect_eq(t->result.exit_code, 128 + SIGSEGV);
}

EACH(tells_an_exit_of_137_from_a_kill)
{
	(void)running_sh(t, "exit 137");
	cr_expect_eq(t->result.how, RUNNER_EXITED);
	cr_expect_eq(t->result.exit_code, 137);
}

EACH(survives_a_group_kill_of_the_action)
{
	(void)running_sh(t, "kill -KILL 0; echo unreachable");
	cr_expect_eq(t->result.how, RUNNER_SIGNALED);
	cr_expect_eq(t->result.signal, SIGKILL);
}

EACH(measures_what_the_command_used)
{
	(void)running_sh(t, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
	cr_expect_gt(t->result.user_us + t->result.system_us, 10000);
	cr_expect_gt(t->result.max_rss_kib, 100);
}

EACH(gives_exactly_the_environment)
{
	const struct action_pair env[] = { { "B", "two words" },
					   { "A", "" },
					   { "LD_PRELOAD", "" } };
	struct runner_job job = { .argv = (const char *[]){ "/usr/bin/env", NULL },
				  .env = env,
				  .n_env = 3 };
	struct rx_err err = { 0 };

	cr_assert(running_job(t, &job, &err), "%s", rx_err_text(&err));
	cr_expect_str_eq(rx_buf_str(&t->out), "B=two words\nA=\nLD_PRELOAD=\n");
	job.n_env = 0;
	cr_assert(running_job(t, &job, &err));
	cr_expect_str_eq(rx_buf_str(&t->out), "");
}

EACH(passes_arguments_as_they_are)
{
	cr_expect_str_eq(running_argv(t, (const char *[]){ "/usr/bin/printf", "<%s>", "", "a b",
							   "*", "\xff\n", NULL }),
			 "<><a b><*><\xff\n>");
}

/* bubblewrap alone takes at most 9,000 arguments. */
EACH(takes_a_million_bytes_of_arguments)
{
	enum { N = 20000 };
	const char **argv = xcalloc(N + 5, sizeof(*argv));

	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = "echo $# ${20000}";
	argv[3] = "sh";
	for (int i = 0; i < N; i++)
		argv[4 + i] = "a-rather-long-argument-that-fills-the-command-line";
	cr_expect_str_eq(running_argv(t, argv),
			 "20000 a-rather-long-argument-that-fills-the-command-line\n");
	free(argv);
}

EACH(says_when_arguments_are_too_long)
{
	char *big = xmalloc(200000);

	memset(big, 'x', 199999);
	big[199999] = 0;
	(void)running_argv(t, (const char *[]){ "/bin/true", big, NULL });
	cr_expect_eq(t->result.exit_code, 126);
	cr_expect(strstr(rx_buf_str(&t->err_out), "Argument list too long"));
	free(big);
}

/* REAPI rule 135 */
EACH(rule_135_finds_the_command)
{
	const struct action_pair none[] = { { "X", "1" } };
	const struct action_pair bin[] = { { "PATH", "/nowhere:bin:/usr/bin" } };
	struct runner_job job = { .argv = (const char *[]){ "tool", NULL },
				  .env = none,
				  .n_env = 1 };
	struct rx_err err = { 0 };
	uid_t uid;
	gid_t gid;

	(void)running_sh(
		t, "mkdir -p sub/bin; printf '#!/bin/sh\\necho \"tool $PATH\"\\n' >sub/bin/tool;"
		   "chmod 755 sub/bin/tool; echo plain >sub/plain");
	(void)runner_owner(t->runner, &uid, &gid);
	job.cwd = "sub";
	cr_assert(running_job(t, &job, &err));
	cr_expect_eq(t->result.exit_code, 127);
	cr_expect_str_eq(rx_buf_str(&t->err_out), "remex: tool: command not found\n");
	cr_expect_eq(t->result.how, RUNNER_EXITED);
	/* by PATH of the command, whose relative entries start in the working directory */
	job.env = bin;
	cr_assert(running_job(t, &job, &err));
	cr_expect_str_eq(rx_buf_str(&t->out), "tool /nowhere:bin:/usr/bin\n");
	/* with a separator: relative to the working directory */
	job.argv = (const char *[]){ "bin/tool", NULL };
	cr_assert(running_job(t, &job, &err));
	cr_expect_eq(t->result.exit_code, 0);
	/* without PATH: in the search path, which the action does not see */
	job.argv = (const char *[]){ "env", NULL };
	job.env = none;
	cr_assert(running_job(t, &job, &err));
	cr_expect_str_eq(rx_buf_str(&t->out), "X=1\n");
	/* such a program is told where it was found: gcc looks for cc1 beside itself */
	job.argv = (const char *[]){ "sh", "-c", "echo $0; tr '\\0' ' ' </proc/$$/cmdline", NULL };
	cr_assert(running_job(t, &job, &err));
	cr_expect(rx_view_starts(rx_view_of(&t->out), "/usr/bin/sh\n/usr/bin/sh -c"));
	job.argv = (const char *[]){ "env", NULL };
	job.search_path = "/nowhere";
	cr_assert(running_job(t, &job, &err));
	cr_expect_eq(t->result.exit_code, 127);
	/* there, but not to be executed */
	job.argv = (const char *[]){ "./plain", NULL };
	cr_assert(running_job(t, &job, &err));
	cr_expect_eq(t->result.exit_code, 126);
	cr_expect_str_eq(rx_buf_str(&t->err_out), "remex: ./plain: Permission denied\n");
}

EACH(says_when_an_interpreter_is_missing)
{
	(void)running_sh(t, "printf '#!/no/such/thing\\n' >tool; chmod 755 tool");
	(void)running_argv(t, (const char *[]){ "./tool", NULL });
	cr_expect_eq(t->result.exit_code, 127);
	cr_expect_str_eq(rx_buf_str(&t->err_out),
			 "remex: ./tool: the interpreter it names is not there\n");
}

EACH(a_missing_working_directory_is_an_error)
{
	struct runner_job job = { .argv = (const char *[]){ "/bin/true", NULL }, .cwd = "no/such" };
	struct rx_err err = { 0 };

	cr_expect_not(running_job(t, &job, &err));
	cr_expect(strstr(rx_err_text(&err), "no/such"), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

EACH(an_error_leaves_the_runner_usable)
{
	struct runner_job job = { .argv = (const char *[]){ "/bin/true", NULL },
				  .root = "/no/such/root" };
	struct rx_err err = { 0 };

	cr_expect_not(running_job(t, &job, &err));
	cr_expect_neq(rx_err_text(&err)[0], 0);
	rx_err_release(&err);
	cr_expect_str_eq(running_sh(t, "echo fine"), "fine\n");
}

EACH(has_no_input_no_terminal_no_descriptors)
{
	(void)fcntl(running_file(t, "leak"), F_SETFD, 0);
	cr_expect_str_eq(running_sh(t, "cat; ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 ");
	cr_expect_str_eq(running_sh(t, "(: </dev/tty) 2>/dev/null || echo none"), "none\n");
}

EACH(has_fixed_limits_and_mask)
{
	(void)umask(077);
	cr_expect_str_eq(running_sh(t, "umask; ulimit -c; ulimit -s"), "0022\n0\n8192\n");
	cr_expect_str_eq(running_sh(t,
				    "trap '' USR1; kill -USR1 $$; grep SigBlk /proc/self/status"),
			 "SigBlk:\t0000000000000000\n");
}

/* REAPI rule 115: the timeout is a result of its own. */
EACH(rule_115_times_out)
{
	struct runner_job job = { .argv = (const char *[]){ "/bin/sh", "-c",
							    "echo partial; sleep 60", NULL },
				  .timeout_ms = 300 };
	struct rx_err err = { 0 };
	int64_t before = clock_mono_ns();

	cr_assert(running_job(t, &job, &err), "%s", rx_err_text(&err));
	cr_expect_eq(t->result.how, RUNNER_TIMED_OUT);
	cr_expect_str_eq(rx_buf_str(&t->out), "partial\n");
	cr_expect_geq(clock_mono_ns() - before, INT64_C(300000000));
	cr_expect_lt(clock_mono_ns() - before, INT64_C(5000000000));
	cr_expect_geq(t->result.end_ns - t->result.start_ns, INT64_C(290000000));
}

/* A counter that something still alive would keep raising. */
static int64_t beats(struct running *t)
{
	RX_CLEANUP(xfreep) char *path = path_join(t->root, "beat");
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static void expect_silence(struct running *t)
{
	int64_t before = beats(t);

	cr_expect_geq(before, 1);
	clock_sleep_ms(300);
	cr_expect_eq(beats(t), before, "something of the action is still alive");
}

#define DAEMON                                                                                     \
	"echo x >beat; for i in 1 2 3; do"                                                         \
	" (setsid sh -c 'trap \"\" TERM HUP INT; while :; do echo x >>beat; sleep 0.05; done' "    \
	">/dev/null 2>&1 &) & done; sleep 0.2; "

EACH(leaves_no_daemon_behind)
{
	(void)running_sh(t, DAEMON "exit 3");
	cr_expect_eq(t->result.exit_code, 3);
	expect_silence(t);
}

EACH(a_timeout_ends_daemons_too)
{
	struct runner_job job = { .argv = (const char *[]){ "/bin/sh", "-c", DAEMON "sleep 60",
							    NULL },
				  .timeout_ms = 700 };
	const struct action_pair env[] = { { "PATH", "/usr/bin:/bin" } };
	struct rx_err err = { 0 };

	job.env = env;
	job.n_env = 1;
	cr_assert(running_job(t, &job, &err), "%s", rx_err_text(&err));
	cr_expect_eq(t->result.how, RUNNER_TIMED_OUT);
	expect_silence(t);
}

EACH(stops_output_at_its_limit)
{
	struct runner_job job = { .argv = (const char *[]){ "/bin/sh", "-c", "exec yes", NULL },
				  .output_limit = 100000 };
	struct rx_err err = { 0 };

	cr_assert(running_job(t, &job, &err) || err.code == RX_ELIMIT);
	cr_expect_eq(t->result.how, RUNNER_OUTPUT_TOO_LARGE);
	rx_err_release(&err);
	/* also when it was quick */
	job.argv = (const char *[]){ "/bin/sh", "-c", "head -c 100001 /dev/zero >&2", NULL };
	err = (struct rx_err){ 0 };
	cr_assert(running_job(t, &job, &err), "%s", rx_err_text(&err));
	cr_expect_eq(t->result.how, RUNNER_OUTPUT_TOO_LARGE);
	job.argv = (const char *[]){ "/bin/sh", "-c", "head -c 100000 /dev/zero >&2", NULL };
	cr_assert(running_job(t, &job, &err));
	cr_expect_eq(t->result.how, RUNNER_EXITED);
}

struct canceller {
	struct running *t;
	volatile bool cancel;
};

static void *cancel_soon(void *arg)
{
	struct canceller *c = arg;

	clock_sleep_ms(300);
	__atomic_store_n(&c->cancel, true, __ATOMIC_RELEASE);
	runner_wake(c->t->runner);
	return NULL;
}

EACH(can_be_cancelled)
{
	struct canceller c = { t, false };
	const struct action_pair env[] = { { "PATH", "/usr/bin:/bin" } };
	struct runner_job job = { .argv = (const char *[]){ "/bin/sh", "-c", DAEMON "sleep 60",
							    NULL },
				  .env = env,
				  .n_env = 1,
				  .root = t->root,
				  .cwd = "" };
	struct rx_err err = { 0 };
	pthread_t thread;

	job.stdout_fd = job.stderr_fd = running_file(t, "out");
	cr_assert_eq(pthread_create(&thread, NULL, cancel_soon, &c), 0);
	cr_assert(runner_run(t->runner, &job, &c.cancel, &t->result, &err));
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(t->result.how, RUNNER_CANCELLED);
	expect_silence(t);
	/* and before it began */
	cr_assert(runner_run(t->runner, &job, &c.cancel, &t->result, &err));
	cr_expect_eq(t->result.how, RUNNER_CANCELLED);
	(void)close(job.stdout_fd);
}

struct background {
	struct running *t;
	struct runner_job job;
	struct runner_result result;
	bool ok;
	struct rx_err err;
};

static void *run_in_background(void *arg)
{
	struct background *b = arg;

	b->ok = runner_run(b->t->runner, &b->job, NULL, &b->result, &b->err);
	return NULL;
}

/* The process that started us is gone: nothing of its actions stays. */
EACH(dies_with_its_owner)
{
	const char *const shell[] = { "/bin/sh", "-c", DAEMON "sleep 60", NULL };
	const struct action_pair env[] = { { "PATH", "/usr/bin:/bin" } };
	struct background b = { .t = t };
	struct running own;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		running_init(&own, runner_sandbox_kind(t->runner));
		b.t = &own;
		b.job = (struct runner_job){
			.argv = shell, .env = env, .n_env = 1, .root = t->root, .cwd = ""
		};
		b.job.stdout_fd = b.job.stderr_fd = running_file(t, "out");
		(void)pthread_create(&thread, NULL, run_in_background, &b);
		clock_sleep_ms(600);
		if (!file_remove_tree(AT_FDCWD, own.dir, &b.err))
			_exit(1);
		(void)kill(getpid(), SIGKILL);
	}
	cr_assert_gt(pid, 0);
	clock_sleep_ms(1500);
	expect_silence(t);
}

/* The child of a process that has this name; 0 when there is none. */
static pid_t child_named(pid_t parent, const char *name)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	struct rx_err err = { 0 };
	char path[64];
	char *rest;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	if (!file_read(AT_FDCWD, path, 65536, &b, &err)) {
		rx_err_release(&err);
		return 0;
	}
	for (const char *at = rx_buf_str(&b);; at = rest) {
		RX_CLEANUP(rx_buf_release) struct rx_buf comm = { 0 };
		long pid = strtol(at, &rest, 10);

		if (rest == at)
			return 0;
		(void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
		if (file_read(AT_FDCWD, path, 64, &comm, &err) &&
		    strncmp(rx_buf_str(&comm), name, strlen(name)) == 0)
			return (pid_t)pid;
		rx_err_reset(&err);
	}
}

/* The keeper alone is killed. Without a namespace only the command itself can be found then. */
EACH(dies_with_its_keeper)
{
	bool bare = runner_sandbox_kind(t->runner) == RUNNER_NONE;
	const char *const shell[] = { "/bin/sh", "-c",
				      bare ? "while :; do echo x >>beat; sleep 0.05; done"
					   : DAEMON "sleep 60",
				      NULL };
	const struct action_pair env[] = { { "PATH", "/usr/bin:/bin" } };
	struct background b = { .t = t };
	pid_t spawner, keeper;
	pthread_t thread;

	b.job = (struct runner_job){
		.argv = shell, .env = env, .n_env = 1, .root = t->root, .cwd = ""
	};
	b.job.stdout_fd = b.job.stderr_fd = running_file(t, "out");
	cr_assert_eq(pthread_create(&thread, NULL, run_in_background, &b), 0);
	for (int i = 0; i < 250 && beats(t) < 3; i++)
		clock_sleep_ms(20);
	spawner = child_named(getpid(), "remex-spawner");
	cr_assert_gt(spawner, 0);
	keeper = child_named(spawner, "remex-keeper");
	cr_assert_gt(keeper, 0);
	cr_assert_eq(kill(keeper, SIGKILL), 0);
	(void)pthread_join(thread, NULL);
	cr_expect_not(b.ok);
	rx_err_release(&b.err);
	clock_sleep_ms(200);
	expect_silence(t);
	(void)close(b.job.stdout_fd);
}

EACH(jobs_run_side_by_side)
{
	const char *const nap[] = { "/bin/sleep", "0.5", NULL };
	enum { N = 4 };
	struct background b[N];
	pthread_t threads[N];
	int64_t before = clock_mono_ns();

	for (int i = 0; i < N; i++) {
		b[i] = (struct background){ .t = t };
		b[i].job = (struct runner_job){ .argv = nap, .root = t->root, .cwd = "" };
		b[i].job.stdout_fd = b[i].job.stderr_fd = running_file(t, "out");
		cr_assert_eq(pthread_create(&threads[i], NULL, run_in_background, &b[i]), 0);
	}
	for (int i = 0; i < N; i++) {
		(void)pthread_join(threads[i], NULL);
		cr_expect(b[i].ok, "%s", rx_err_text(&b[i].err));
		cr_expect_eq(b[i].result.exit_code, 0);
		(void)close(b[i].job.stdout_fd);
	}
	cr_expect_lt(clock_mono_ns() - before, INT64_C(1900000000));
}

Test(runner, says_why_there_is_no_sandbox)
{
	struct rx_err err = { 0 };
	struct runner *r;

	cr_assert_eq(setenv("PATH", "/nowhere", 1), 0);
	r = runner_new(RUNNER_AUTO, &err);
	cr_assert(r);
	cr_expect_eq(runner_sandbox_kind(r), RUNNER_NONE);
	cr_expect(strstr(runner_sandbox_why_not(r), "bubblewrap"));
	runner_free(r);
	cr_expect_null(runner_new(RUNNER_NAMESPACE, &err));
	cr_expect_eq(err.code, RX_EUSAGE);
	rx_err_release(&err);
	runner_free(NULL);
}
