/* test_scratch: what is held stays, what a killed process left goes, what is not ours is left. */
#include "scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"

static char *dir;

static void make_dir(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "remex-test-", &dir, &err), "%s", rx_err_text(&err));
}

static void remove_dir(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_expect(file_remove_tree(AT_FDCWD, dir, &err), "%s", rx_err_text(&err));
	xfreep(&dir);
}

TestSuite(scratch, .init = make_dir, .fini = remove_dir, .timeout = 60);

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void fill(const char *path)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *sub = path_join(path, "closed");
	RX_CLEANUP(xfreep) char *file = path_join(sub, "file");

	cr_assert(file_mkdirs(AT_FDCWD, sub, 0700, false, &err));
	cr_assert(file_write(AT_FDCWD, file, RX_VIEW("x"), 0444, &err));
	cr_assert_eq(chmod(sub, 0), 0);
}

Test(scratch, is_private_and_removed_when_closed)
{
	struct rx_err err = { 0 };
	struct scratch s;
	struct stat st;
	char *path;

	cr_assert(scratch_open(&s, dir, "run-", &err), "%s", rx_err_text(&err));
	path = xstrdup(s.path);
	cr_assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	fill(path);
	cr_expect(scratch_close(&s, &err), "%s", rx_err_text(&err));
	cr_expect(!exists(path));
	cr_expect(scratch_close(&s, &err), "a second time is nothing");
	free(path);
}

/* A process that opens one and is killed. */
static char *left_behind(void)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	struct rx_err err = { 0 };
	int to[2];
	pid_t child;

	cr_assert_eq(pipe(to), 0);
	child = fork();
	if (child == 0) {
		struct scratch s;

		if (scratch_open(&s, dir, "run-", &err)) {
			fill(s.path);
			(void)!write(to[1], s.path, strlen(s.path));
		}
		(void)kill(getpid(), SIGKILL);
	}
	(void)close(to[1]);
	(void)waitpid(child, NULL, 0);
	cr_assert(file_read_fd(to[0], 4096, &b, &err) && b.n > 0);
	(void)close(to[0]);
	return rx_buf_take(&b);
}

Test(scratch, a_sweep_removes_what_a_killed_process_left)
{
	struct rx_err err = { 0 };
	char *left = left_behind(), *other = path_join(dir, "run-longer-than-ours");
	char *file = path_join(dir, "run-abcdef"), *link = path_join(dir, "run-aaaaaa");
	char *open_to_all = path_join(dir, "run-backup");
	struct scratch s;

	cr_assert(scratch_open(&s, dir, "run-", &err), "%s", rx_err_text(&err));
	fill(s.path);
	cr_assert_eq(mkdir(other, 0700), 0);
	cr_assert(mkdir(open_to_all, 0755) == 0 && chmod(open_to_all, 0755) == 0);
	cr_assert(file_write(AT_FDCWD, file, RX_VIEW("x"), 0600, &err));
	cr_assert_eq(symlink(other, link), 0);
	cr_assert(exists(left));
	cr_expect(scratch_sweep(dir, "run-", NULL));
	cr_expect(!exists(left));
	cr_expect(exists(s.path), "that of a living process stays");
	cr_expect(exists(other) && exists(file) && exists(link) && exists(open_to_all));
	cr_expect(scratch_close(&s, &err), "%s", rx_err_text(&err));
	free(left);
	free(other);
	free(file);
	free(link);
	free(open_to_all);
}

Test(scratch, another_user_s_directory_stays)
{
	char *left = left_behind();

	if (geteuid() != 0 || chown(left, 64321, 64321) != 0)
		cr_skip("giving a directory away takes root");
	cr_expect(scratch_sweep(dir, "run-", NULL));
	cr_expect(exists(left));
	free(left);
}

Test(scratch, a_sweep_can_be_stopped)
{
	const volatile bool stop = true;
	char *left = left_behind();

	(void)scratch_sweep(dir, "run-", &stop);
	cr_expect(exists(left));
	free(left);
}

Test(scratch, processes_that_open_and_sweep_do_not_disturb_each_other)
{
	int failed = 0, status;

	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			struct rx_err err = { 0 };
			struct scratch s;
			bool ok = true;

			for (int k = 0; ok && k < 50; k++) {
				ok = scratch_open(&s, dir, "run-", &err);
				(void)scratch_sweep(dir, "run-", NULL);
				ok = ok && exists(s.path) && scratch_close(&s, &err);
			}
			_exit(!ok);
		}
	while (wait(&status) > 0)
		failed += status != 0;
	cr_expect_eq(failed, 0);
	cr_expect(scratch_sweep(dir, "run-", NULL));
	cr_assert_eq(rmdir(dir), 0, "nothing is left");
	cr_assert_eq(mkdir(dir, 0700), 0);
}
