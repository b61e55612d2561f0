/* runner: runs an action's process on this machine, in a sandbox (sandbox.h) when it can. Without
 * one nothing is hidden from the action, but it still gets its own session and exactly its
 * environment, and everything it started ends with it.
 *
 * A single-threaded spawner process is forked first of all (runner_new, before gRPC is up: never
 * fork after it) and starts every action; it lives as long as its children, holds no descriptor it
 * does not need, and reaps. */
#pragma once

#include <sys/types.h>

#include "action.h"

enum runner_sandbox { RUNNER_AUTO, RUNNER_NAMESPACE, RUNNER_NONE };

struct runner;
/* Starts the spawner. AUTO probes once whether bubblewrap works here; runner_sandbox_kind tells the
 * outcome and runner_sandbox_why_not why there is none (NULL when there is). NAMESPACE fails where
 * it does not work. */
struct runner *runner_new(enum runner_sandbox wanted, struct rx_err *err);
void runner_free(struct runner *r);                              /* kills what still runs */
enum runner_sandbox runner_sandbox_kind(const struct runner *r); /* NAMESPACE or NONE */
const char *runner_sandbox_why_not(const struct runner *r);
/* The user that actions run as, when it is not ours: the caller gives it the execution root and the
 * files of stdout and stderr (scripts open /dev/stdout anew). False when nothing has to change
 * hands. */
bool runner_owner(const struct runner *r, uid_t *uid, gid_t *gid);
/* Changes when an action could see a difference between two versions of this program. */
const char *runner_layout(enum runner_sandbox kind);

struct runner_job {
	const char *const *argv;       /* NULL-terminated, argv[0] as given */
	const struct action_pair *env; /* exactly this environment */
	size_t n_env;
	const char *root;         /* absolute path of the execution root on the host */
	const char *cwd;          /* below it, "" = the root */
	int stdout_fd, stderr_fd; /* files the output goes to; stdin is /dev/null */
	int64_t timeout_ms;       /* 0 = none; from the start of the command, then SIGKILL */
	int64_t output_limit; /* bytes of stdout and stderr each, if they are regular files; looked
				 at ten times a second; 0 = RUNNER_OUTPUT_LIMIT */
	const char *search_path; /* where a bare argv[0] is looked up when env has no PATH; NULL =
				    "/usr/bin:/bin" */
};
#define RUNNER_OUTPUT_LIMIT (1LL << 30)

enum runner_end {
	RUNNER_EXITED,
	RUNNER_SIGNALED,
	RUNNER_TIMED_OUT,
	RUNNER_CANCELLED,
	RUNNER_OUTPUT_TOO_LARGE
};
struct runner_result {
	enum runner_end how;
	int exit_code; /* 128+signal when signalled; 127 command not found, 126 not executable */
	int signal;
	int64_t start_ns, end_ns; /* wall clock */
	int64_t user_us, system_us, max_rss_kib;
};
/* Blocks until the whole process group is gone. Thread-safe: jobs of several threads run side by
 * side. Failing to start the sandbox itself is an error; a command that is not there is a result
 * (127) with a line on stderr_fd. cancel may be NULL; set to true from elsewhere (and runner_wake
 * called) it kills the job; set it atomically. */
RX_MUST_USE bool runner_run(struct runner *r, const struct runner_job *job,
			    const volatile bool *cancel, struct runner_result *out,
			    struct rx_err *err);
void runner_wake(struct runner *r);
