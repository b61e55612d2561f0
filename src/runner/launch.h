/* launch: the last step before an action's command: takes it from a descriptor, gives up what
 * rights are left, starts the command, waits for it and reports.
 *
 * It runs as the first process inside the sandbox, as a small static program of its own that lives
 * in a memory file (bubblewrap takes at most 9,000 arguments, would itself obey an LD_PRELOAD of
 * the action and cannot change to another user), and without a sandbox as a function in a fresh
 * child. libc only. */
#pragma once

#include <stdint.h>

#define LAUNCH_MAGIC 0x72656d78u

enum launch_flag {
	LAUNCH_INIT = 1u << 0, /* we are process 1 of a pid namespace: reap everything */
	LAUNCH_DROP = 1u << 1, /* root so far: become uid and gid for good */
	LAUNCH_PROBE = 1u << 2 /* no command: check that the sandbox holds */
};

/* The job as a memory file: this, then NUL-terminated strings: root (on the host), root as the
 * command sees it, cwd, search path, argv..., env... ("NAME=VALUE"). */
struct launch_job {
	uint32_t magic, flags;
	uint32_t uid, gid;
	uint32_t n_argv, n_env;
	uint64_t size; /* of the whole file */
};
#define LAUNCH_STRINGS 4 /* before argv */

enum launch_kind {
	LAUNCH_STARTED = 1, /* the sandbox stands, the command is about to start */
	LAUNCH_ENDED,       /* status is what wait(2) says */
	LAUNCH_FAILED       /* ours, not the action's: text says why */
};
struct launch_report {
	uint32_t kind;
	int32_t status;
	int64_t start_ns, end_ns; /* wall clock */
	int64_t user_us, system_us, max_rss_kib;
	char text[256];
};

/* Descriptors as the launcher finds them. */
enum launch_fd {
	LAUNCH_FD_JOB = 3,
	LAUNCH_FD_REPORT, /* a pipe; reports are whole writes */
	LAUNCH_FD_OUT,
	LAUNCH_FD_ERR,
	LAUNCH_FD_N
};
/* Returns the exit status of this process, 0 once LAUNCH_ENDED was reported. */
int launch_run(void);
