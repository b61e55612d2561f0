/* test_file: whole reads with limits, writes that appear at once, paths that stay inside. */
#include "file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char *dir;
static int dir_fd;

static void make_dir(void)
{
	struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "remex-test-", &dir, &err), "%s", rx_err_text(&err));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir_fd, 0);
}

static void remove_dir(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	file_close(&dir_fd);
	cr_assert(file_remove_tree(AT_FDCWD, dir, &err), "%s", rx_err_text(&err));
	xfreep(&dir);
}

TestSuite(file, .init = make_dir, .fini = remove_dir);

static void put(const char *name, const char *text)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert(file_write(dir_fd, name, rx_view_str(text), 0644, &err), "%s", rx_err_text(&err));
}

static size_t entries(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	for (const struct dirent *e; (e = readdir(d));)
		n++;
	closedir(d);
	return n - 2;
}

Test(file, reads_back_what_was_written)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	size_t n = 300000; /* more than a zeroed buffer's own maximum */
	RX_CLEANUP(xfreep) char *big = xmalloc(n);

	memset(big, 'x', n);
	cr_assert(file_write(dir_fd, "f", (struct rx_view){ big, n }, 0640, &err));
	rx_buf_add_str(&b, "before");
	cr_assert(file_read(dir_fd, "f", n, &b, &err), "%s", rx_err_text(&err));
	cr_assert_eq(b.n, n + 6);
	cr_assert_eq(b.p[b.n], '\0');
	cr_assert(rx_view_starts(rx_view_of(&b), "beforexxx"));
}

Test(file, the_limit_is_exact)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	put("f", "12345");
	rx_buf_add_str(&b, "kept");
	cr_assert_not(file_read(dir_fd, "f", 4, &b, &err));
	cr_assert_eq(err.code, RX_ELIMIT);
	cr_assert_str_eq(rx_buf_str(&b), "kept");
	rx_err_reset(&err);
	cr_assert(file_read(dir_fd, "f", 5, &b, &err));
	cr_assert_str_eq(rx_buf_str(&b), "kept12345");
	cr_assert_not(file_read(dir_fd, "absent", 5, &b, &err));
	cr_assert_eq(err.code, RX_ENOENT);
	rx_err_reset(&err);
	cr_assert_not(file_read(AT_FDCWD, dir, 5, &b, &err));
	cr_assert_eq(err.sys_errno, EISDIR);
	rx_err_reset(&err);
	/* a size of 0 is not believed */
	cr_assert(file_read(AT_FDCWD, "/proc/self/status", 65536, &b, &err));
	cr_assert_not(file_read(AT_FDCWD, "/dev/zero", 65536, &b, &err));
	cr_assert_eq(err.code, RX_ELIMIT);
}

Test(file, a_write_replaces_and_sets_the_mode)
{
	struct stat st;

	umask(077);
	put("f", "one");
	put("f", "two");
	cr_assert_eq(fstatat(dir_fd, "f", &st, 0), 0);
	cr_assert_eq(st.st_mode & 07777, 0644);
	cr_assert_eq(st.st_size, 3);
	cr_assert_eq(entries(), 1, "nothing beside it");
}

Test(file, a_write_replaces_a_link_and_not_what_it_points_to)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	put("target", "old");
	cr_assert_eq(symlinkat("target", dir_fd, "link"), 0);
	put("link", "new");
	cr_assert(file_read(dir_fd, "target", 10, &b, &err));
	cr_assert_str_eq(rx_buf_str(&b), "old");
}

Test(file, a_failed_write_leaves_nothing)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert_eq(mkdirat(dir_fd, "d", 0700), 0);
	put("d/x", "");
	cr_assert_not(file_write(dir_fd, "d", RX_VIEW("text"), 0644, &err));
	cr_assert_eq(entries(), 1);
	rx_err_reset(&err);
	cr_assert_not(file_write(dir_fd, "no/f", RX_VIEW("text"), 0644, &err));
	cr_assert_eq(err.code, RX_ENOENT);
	rx_err_reset(&err);
	/* a disk that is full, as far as write(2) can tell */
	signal(SIGXFSZ, SIG_IGN);
	pid_t child = fork();
	if (child == 0) {
		struct rx_err mine = { 0 };
		RX_CLEANUP(file_close) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
		bool ok = file_write_fd(full, "x", 1, &mine);
		bool right = !ok && mine.sys_errno == ENOSPC;
		rx_err_release(&mine);
		_exit(right ? 0 : 1);
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

Test(file, reads_at_an_offset)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	char got[8] = { 0 };
	size_t n = 99;

	put("f", "0123456789");
	RX_CLEANUP(file_close) int fd = openat(dir_fd, "f", O_RDONLY | O_CLOEXEC);
	cr_assert(file_pread(fd, got, 4, 3, &n, &err));
	cr_assert_eq(n, 4);
	cr_assert_str_eq(got, "3456");
	cr_assert(file_pread(fd, got, 8, 7, &n, &err));
	cr_assert_eq(n, 3);
	cr_assert(file_pread(fd, got, 8, 70, &n, &err));
	cr_assert_eq(n, 0);
}

static int fresh(const char *name)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	return fd;
}

Test(file, copies_whole_parts_and_what_the_kernel_will_not)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	bool cloned = true;

	put("f", "0123456789");
	RX_CLEANUP(file_close) int from = openat(dir_fd, "f", O_RDONLY | O_CLOEXEC);
	RX_CLEANUP(file_close) int to = fresh("whole");
	cr_assert(file_copy_fd(from, to, -1, &cloned, &err));
	cr_assert(file_read(dir_fd, "whole", 100, &b, &err));
	cr_assert_str_eq(rx_buf_str(&b), "0123456789");

	file_close(&to);
	to = fresh("rest");
	lseek(from, 4, SEEK_SET);
	cr_assert(file_copy_fd(from, to, 3, NULL, &err));
	rx_buf_reset(&b);
	cr_assert(file_read(dir_fd, "rest", 100, &b, &err));
	cr_assert_str_eq(rx_buf_str(&b), "456");

	lseek(from, 4, SEEK_SET);
	cr_assert_not(file_copy_fd(from, to, 7, NULL, &err));
	cr_assert_eq(err.code, RX_EIO);
	rx_err_reset(&err);

	RX_CLEANUP(file_close) int proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	file_close(&to);
	to = fresh("proc");
	cr_assert(file_copy_fd(proc, to, -1, NULL, &err), "%s", rx_err_text(&err));
	cr_assert_gt(lseek(to, 0, SEEK_END), 100);
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "piped", 5), 5);
	close(ends[1]);
	file_close(&to);
	to = fresh("pipe");
	cr_assert(file_copy_fd(ends[0], to, 5, NULL, &err), "%s", rx_err_text(&err));
	close(ends[0]);
}

Test(file, nothing_opens_outside)
{
	static const char *const outside[] = { "/etc/passwd", "..",         "../x", "d/../../x",
					       "up/x",        "abs/passwd", "magic" };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert_eq(mkdirat(dir_fd, "d", 0700), 0);
	cr_assert_eq(symlinkat("..", dir_fd, "up"), 0);
	cr_assert_eq(symlinkat("/etc", dir_fd, "abs"), 0);
	cr_assert_eq(symlinkat("/proc/self/fd/0", dir_fd, "magic"), 0);
	for (size_t i = 0; i < RX_COUNT(outside); i++) {
		cr_assert_eq(file_open_beneath(dir_fd, outside[i], O_RDONLY, 0, &err), -1, "%s",
			     outside[i]);
		cr_assert_neq(err.code, RX_ENOENT, "%s: %s", outside[i], rx_err_text(&err));
		rx_err_reset(&err);
		cr_assert_eq(file_open_nolinks(dir_fd, outside[i], O_RDONLY, 0, &err), -1, "%s",
			     outside[i]);
		rx_err_reset(&err);
		cr_assert_eq(file_open_beneath(dir_fd, outside[i], O_RDWR | O_CREAT, 0600, &err),
			     -1);
		rx_err_reset(&err);
	}
}

Test(file, links_inside_open_only_when_links_are_allowed)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert_eq(mkdirat(dir_fd, "d", 0700), 0);
	put("d/f", "x");
	cr_assert_eq(symlinkat("d", dir_fd, "l"), 0);
	cr_assert_eq(symlinkat("f", dir_fd, "d/k"), 0);
	RX_CLEANUP(file_close) int a = file_open_beneath(dir_fd, "l/f", O_RDONLY, 0, &err);
	RX_CLEANUP(file_close) int b = file_open_nolinks(dir_fd, "d/f", O_RDONLY, 0, &err);
	cr_assert_geq(a, 0);
	cr_assert_geq(b, 0);
	cr_assert(fcntl(a, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(file_open_nolinks(dir_fd, "l/f", O_RDONLY, 0, &err), -1);
	rx_err_reset(&err);
	cr_assert_eq(file_open_nolinks(dir_fd, "d/k", O_RDONLY, 0, &err), -1);
	cr_assert_eq(err.sys_errno, ELOOP);
	rx_err_reset(&err);
	cr_assert_eq(file_open_beneath(dir_fd, "none", O_RDONLY, 0, &err), -1);
	cr_assert_eq(err.code, RX_ENOENT);
	rx_err_reset(&err);
	RX_CLEANUP(file_close)
	int c = file_open_nolinks(dir_fd, "new", O_WRONLY | O_CREAT | O_EXCL, 0600, &err);
	cr_assert_geq(c, 0, "%s", rx_err_text(&err));
}

Test(file, makes_directories_inside_only)
{
	static const char *const bad[] = { "/tmp/x", "..",  "a/../b", "a//b", "a/",
					   "",       "l/x", "f/x",    "./a" };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct stat st;

	cr_assert(file_mkdirs(dir_fd, "a/b/c", 0700, true, &err), "%s", rx_err_text(&err));
	cr_assert(file_mkdirs(dir_fd, "a/b/c", 0700, true, &err));
	cr_assert_eq(fstatat(dir_fd, "a/b/c", &st, 0), 0);
	cr_assert_eq(symlinkat("a", dir_fd, "l"), 0);
	put("f", "");
	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		cr_assert_not(file_mkdirs(dir_fd, bad[i], 0700, true, &err), "'%s'", bad[i]);
		rx_err_reset(&err);
	}
	cr_assert_neq(fstatat(dir_fd, "a/x", &st, 0), 0);
	cr_assert(file_mkdirs(dir_fd, "l/x", 0700, false, &err), "links are fine unconfined");
	RX_CLEANUP(xfreep) char *absolute = path_join(dir, "u/v/");
	cr_assert(file_mkdirs(AT_FDCWD, absolute, 0700, false, &err), "%s", rx_err_text(&err));
	cr_assert_not(file_mkdirs(dir_fd, "f/x", 0700, false, &err));
	cr_assert_eq(err.sys_errno, ENOTDIR);
	rx_err_reset(&err);
	cr_assert_not(file_mkdirs(dir_fd, "f", 0700, false, &err));
	cr_assert_eq(err.sys_errno, ENOTDIR);
}

Test(file, temporary_directories_are_private)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *a = NULL, *b = NULL;
	struct stat st;

	cr_assert(file_temp_dir(dir, "x-", &a, &err));
	cr_assert(file_temp_dir(dir, "x-", &b, &err));
	cr_assert_str_neq(a, b);
	cr_assert_eq(stat(a, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	xfreep(&b);
	cr_assert_not(file_temp_dir("/nowhere/at/all", "x-", &b, &err));
	cr_assert_eq(err.code, RX_ENOENT);
	cr_assert_null(b);
}

Test(paths, clean_relative_ones)
{
	static const char *const good[] = { "a", "a/b", "...", ".a", "a/..b", "a b" };
	static const char *const bad[] = { "",  "/",  "/a",  "a/",  "a//b",
					   ".", "..", "a/.", "./a", "a/../b" };

	for (size_t i = 0; i < RX_COUNT(good); i++)
		cr_assert(path_is_relative_clean(good[i]), "'%s'", good[i]);
	for (size_t i = 0; i < RX_COUNT(bad); i++)
		cr_assert_not(path_is_relative_clean(bad[i]), "'%s'", bad[i]);
}

Test(paths, normalize)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ ".", "" },
		{ "a", "a" },
		{ "a/", "a" },
		{ "./a//b/.", "a/b" },
		{ "a/../b", "b" },
		{ "a/..", "" },
		{ "a/b/../../c", "c" },
		{ "..", NULL },
		{ "a/../..", NULL },
		{ "/", "/" },
		{ "//a/./b/..", "/a" },
		{ "/..", NULL },
		{ "/a/..", "/" },
		{ "...", "..." },
		{ "a/b/c/../d", "a/b/d" },
	};

	for (size_t i = 0; i < RX_COUNT(pairs); i++) {
		RX_CLEANUP(xfreep) char *got = path_normalize(pairs[i][0]);
		if (pairs[i][1])
			cr_assert(got && strcmp(got, pairs[i][1]) == 0, "'%s' gives '%s'",
				  pairs[i][0], got ? got : "NULL");
		else
			cr_assert_null(got, "'%s'", pairs[i][0]);
	}
}

Test(paths, below_a_directory_or_beside_it_but_not_outside)
{
	static const char *const cases[][3] = {
		{ "", "a/b", "a/b" },      { "w/d", "a", "w/d/a" },       { "w/d", "../a", "w/a" },
		{ "w/d", "../../a", "a" }, { "w/d", "../../../a", NULL }, { "", "../a", NULL },
		{ "w", "/a", NULL },       { "w", "a/../b", NULL },       { "w", "./a", NULL },
		{ "w", "a/", NULL },       { "w", "a//b", NULL },         { "w", "", NULL },
		{ "w", "..", NULL },       { "w", "...", "w/..." },       { "w", "..a", "w/..a" },
	};

	for (size_t i = 0; i < RX_COUNT(cases); i++) {
		RX_CLEANUP(xfreep) char *got = path_below(cases[i][0], cases[i][1]);
		if (cases[i][2])
			cr_expect(got && strcmp(got, cases[i][2]) == 0, "'%s' gives '%s'",
				  cases[i][1], got ? got : "NULL");
		else
			cr_expect_null(got, "'%s'", cases[i][1]);
	}
}

Test(paths, join)
{
	static const char *const three[][3] = {
		{ "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "", "b", "b" },
		{ "a", "", "a" },    { "a", "/b", "/b" },  { "/", "b", "/b" },
	};

	for (size_t i = 0; i < RX_COUNT(three); i++) {
		RX_CLEANUP(xfreep) char *got = path_join(three[i][0], three[i][1]);
		cr_assert_str_eq(got, three[i][2]);
	}
}
