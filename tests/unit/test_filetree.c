/* test_filetree: trees go away whole and nothing else does. */
#include "file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char *dir;

static void make_dir(void)
{
	struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "remex-test-", &dir, &err));
	cr_assert_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert(file_remove_tree(AT_FDCWD, dir, &err), "%s", rx_err_text(&err));
	cr_assert_neq(access(dir, F_OK), 0);
	xfreep(&dir);
}

TestSuite(filetree, .init = make_dir, .fini = remove_dir);

static void touch(const char *path)
{
	struct rx_err err = { 0 };

	cr_assert(file_write(AT_FDCWD, path, RX_VIEW("x"), 0600, &err), "%s", rx_err_text(&err));
}

static void mkdirs(const char *path)
{
	struct rx_err err = { 0 };

	cr_assert(file_mkdirs(AT_FDCWD, path, 0700, false, &err), "%s", rx_err_text(&err));
}

static bool gone(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 && errno == ENOENT;
}

Test(filetree, absent_is_fine_and_files_and_links_go_alone)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert(file_remove_tree(AT_FDCWD, "absent", &err));
	touch("f");
	cr_assert_eq(symlink("f", "l"), 0);
	cr_assert(file_remove_tree(AT_FDCWD, "l", &err));
	cr_assert(gone("l"));
	cr_assert_not(gone("f"));
	cr_assert(file_remove_tree(AT_FDCWD, "f", &err));
	cr_assert(gone("f"));
}

Test(filetree, links_are_not_followed)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	mkdirs("precious/inner");
	touch("precious/inner/f");
	mkdirs("t/a");
	cr_assert_eq(symlink("../../precious", "t/a/link"), 0);
	cr_assert_eq(symlink("../precious/inner", "t/link"), 0);
	cr_assert(file_remove_tree(AT_FDCWD, "t", &err), "%s", rx_err_text(&err));
	cr_assert(gone("t"));
	cr_assert_not(gone("precious/inner/f"));
}

Test(filetree, deeper_than_descriptors_and_longer_than_paths)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(file_close) int at = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct rlimit few = { 64, 64 };

	for (int i = 0; i < 3000; i++) {
		cr_assert_eq(mkdirat(at, "deep", 0700), 0);
		int next = openat(at, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(next, 0);
		if (i % 100 == 0)
			cr_assert_eq(symlinkat("nowhere", next, "link"), 0);
		file_close(&at);
		at = next;
	}
	file_close(&at);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cr_assert(file_remove_tree(AT_FDCWD, "deep", &err), "%s", rx_err_text(&err));
	cr_assert(gone("deep"));
}

Test(filetree, many_entries)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	mkdirs("t");
	for (int i = 0; i < 3000; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "t/%d", i);
		cr_assert_eq(mkdir(name, 0700), 0);
		if (i % 10 == 0) {
			(void)snprintf(name, sizeof(name), "t/%d/f", i);
			touch(name);
		}
	}
	cr_assert(file_remove_tree(AT_FDCWD, "t", &err), "%s", rx_err_text(&err));
	cr_assert(gone("t"));
}

/* As an ordinary user: nothing is forbidden to root. */
Test(filetree, read_only_directories_are_opened_up)
{
	cr_assert_eq(chmod(dir, 0777), 0);
	pid_t child = fork();
	if (child == 0) {
		struct rx_err err = { 0 };
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(9);
		mkdirs("t/a/b");
		touch("t/a/b/f");
		touch("t/a/f");
		(void)chmod("t/a/b", 0);
		(void)chmod("t/a", 0500);
		(void)chmod("t", 0500);
		bool ok = file_remove_tree(AT_FDCWD, "t", &err) && gone("t");
		rx_err_release(&err);
		_exit(ok ? 0 : 1);
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0, "status %x", status);
}
