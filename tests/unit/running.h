/* running: what the tests of the runner share: a root, a shell command, what came out. */
#pragma once

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "runner.h"

/* An ordinary user that is nobody in particular. */
#define TEST_UID 64321u

static inline void become_user(void)
{
	if (geteuid() != 0)
		return;
	cr_assert_eq(setgroups(0, NULL), 0);
	cr_assert_eq(setresgid(TEST_UID, TEST_UID, TEST_UID), 0);
	cr_assert_eq(setresuid(TEST_UID, TEST_UID, TEST_UID), 0);
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the leak checker looks at its own process */
}

/* A container may refuse what the sandbox needs: its tests are skipped by name then, except where
 * REMEX_TEST_SANDBOX says that it must work (.ci/run does). */
static inline struct runner *running_runner(enum runner_sandbox kind)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct runner *r = runner_new(kind, &err);

	if (!r && kind == RUNNER_NAMESPACE && !getenv("REMEX_TEST_SANDBOX"))
		cr_skip_test("no sandbox here: %s", rx_err_text(&err));
	cr_assert(r, "%s", rx_err_text(&err));
	return r;
}

struct running {
	struct runner *runner;
	char *dir;  /* 0700, ours */
	char *root; /* the execution root below it */
	struct rx_buf out, err_out;
	struct runner_result result;
};

static inline void running_init(struct running *t, enum runner_sandbox kind)
{
	struct rx_err err = { 0 };
	uid_t uid;
	gid_t gid;

	*t = (struct running){ .out = { .max = 8u << 20 }, .err_out = { .max = 8u << 20 } };
	t->runner = running_runner(kind);
	cr_assert(file_temp_dir("/tmp", "remex-test-", &t->dir, &err), "%s", rx_err_text(&err));
	t->root = path_join(t->dir, "root");
	cr_assert_eq(mkdir(t->root, 0755), 0);
	if (runner_owner(t->runner, &uid, &gid))
		cr_assert_eq(chown(t->root, uid, gid), 0);
}

static inline void running_release(struct running *t)
{
	struct rx_err err = { 0 };

	runner_free(t->runner);
	cr_expect(file_remove_tree(AT_FDCWD, t->dir, &err), "%s", rx_err_text(&err));
	rx_err_release(&err);
	free(t->root);
	free(t->dir);
	rx_buf_release(&t->out);
	rx_buf_release(&t->err_out);
}

static inline int running_file(struct running *t, const char *name)
{
	RX_CLEANUP(xfreep) char *path = path_join(t->dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0);
	return fd;
}

/* Runs a job whose descriptors and root are filled in here. */
static inline bool running_job(struct running *t, struct runner_job *job, struct rx_err *err)
{
	bool ok;

	job->root = job->root ? job->root : t->root;
	job->cwd = job->cwd ? job->cwd : "";
	job->stdout_fd = running_file(t, "stdout");
	job->stderr_fd = running_file(t, "stderr");
	ok = runner_run(t->runner, job, NULL, &t->result, err);
	rx_buf_reset(&t->out);
	rx_buf_reset(&t->err_out);
	(void)lseek(job->stdout_fd, 0, SEEK_SET);
	(void)lseek(job->stderr_fd, 0, SEEK_SET);
	cr_assert(file_read_fd(job->stdout_fd, 8u << 20, &t->out, err) || err->code == RX_ELIMIT);
	cr_assert(file_read_fd(job->stderr_fd, 8u << 20, &t->err_out, err) ||
		  err->code == RX_ELIMIT);
	(void)close(job->stdout_fd);
	(void)close(job->stderr_fd);
	return ok;
}

static inline const char *running_argv(struct running *t, const char *const *argv)
{
	const struct action_pair env[] = { { "PATH", "/usr/bin:/bin:/usr/sbin:/sbin" } };
	struct runner_job job = { .argv = argv, .env = env, .n_env = 1 };
	struct rx_err err = { 0 };

	cr_assert(running_job(t, &job, &err), "%s", rx_err_text(&err));
	return rx_buf_str(&t->out);
}

/* A shell script with a PATH and nothing else; gives its stdout. */
static inline const char *running_sh(struct running *t, const char *script)
{
	return running_argv(t, (const char *[]){ "/bin/sh", "-c", script, NULL });
}
