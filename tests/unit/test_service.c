/* test_service: one service at a time, whoever asks and however many do. */
#include "service.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"

static char *dir;
static struct service_paths paths;
static struct rx_buf said; /* of the last start */

static void make_dir(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "remex-test-", &dir, &err));
	cr_assert(service_paths_init(&paths, dir, &err), "%s", rx_err_text(&err));
}

static int running(void)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	int pid = 0;

	if (!file_read(AT_FDCWD, paths.lock, 100, &b, &err) ||
	    sscanf(rx_buf_str(&b), "%d", &pid) != 1)
		return 0;
	return kill(pid, 0) == 0 ? pid : 0;
}

/* Its lock is free at once, its pid only when somebody reaped it. */
static void stop(void)
{
	RX_CLEANUP(file_close) int lock = open(paths.lock, O_RDONLY | O_CLOEXEC);
	int pid = running();

	if (!pid)
		return;
	kill(pid, SIGKILL);
	cr_assert_eq(flock(lock, LOCK_SH), 0);
}

static void remove_dir(void)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	stop();
	cr_assert(file_remove_tree(AT_FDCWD, dir, &err), "%s", rx_err_text(&err));
	service_paths_release(&paths);
	service_paths_release(NULL);
	xfreep(&dir);
	rx_buf_release(&said);
}

TestSuite(service, .init = make_dir, .fini = remove_dir, .timeout = 60);

static bool ensure(const char *build, const char *mode, int64_t wait_ms, bool *started,
		   struct rx_err *err)
{
	const char *const argv[] = { ECHO_SERVICE, dir, build, mode, NULL };
	const struct service_spawn how = { argv, wait_ms, build, &said };

	return service_ensure(&paths, &how, started, err);
}

/* Number of starts so far; the last line in `last`. */
static unsigned starts(char last[256])
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *path = path_join(dir, "starts");
	unsigned n = 0;

	if (!file_read(AT_FDCWD, path, 65536, &b, &err))
		return 0;
	for (const char *at = rx_buf_str(&b), *end; (end = strchr(at, '\n')); at = end + 1, n++)
		(void)snprintf(last, 256, "%.*s", (int)(end - at), at);
	return n;
}

Test(service, starts_once_detached_from_everything)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	char last[256], cwd[64], make[64];
	bool started = false;
	int pid, session;
	unsigned descriptors;

	/* neither this nor a make's jobserver may be seen over there */
	cr_assert_geq(dup2(1, 57), 0);
	setenv("MAKEFLAGS", "--jobserver-auth=3,4", 1);
	cr_assert(ensure("one", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	cr_assert(started);
	cr_assert_str_eq(rx_buf_str(&said), "it says hello");
	cr_assert(service_alive(paths.socket));
	cr_assert_eq(starts(last), 1);
	cr_assert_eq(sscanf(last, "%d %d %63s %63s %u", &pid, &session, cwd, make, &descriptors), 5,
		     "%s", last);
	cr_assert_neq(session, getsid(0));
	cr_assert_str_eq(cwd, "/");
	cr_assert_str_eq(make, "-");
	cr_assert_eq(descriptors, 4, "0, 1, 2 and the one for readiness, not %u", descriptors);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "no child is left to us");
	cr_assert_eq(errno, ECHILD);
	started = true;
	cr_assert(ensure("one", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	cr_assert_not(started);
	cr_assert_eq(starts(last), 1);
}

Test(service, eight_at_once_start_exactly_one)
{
	char last[256];
	pid_t child[8];
	int began = 0;

	for (size_t i = 0; i < RX_COUNT(child); i++) {
		child[i] = fork();
		if (child[i])
			continue;
		struct rx_err err = { 0 };
		bool started = false;
		bool ok =
			ensure("one", "slow", 30000, &started, &err) && service_alive(paths.socket);
		_exit(ok ? started : 9);
	}
	for (size_t i = 0; i < RX_COUNT(child); i++) {
		int status;
		cr_assert_eq(waitpid(child[i], &status, 0), child[i]);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "status %x", status);
		began += WEXITSTATUS(status);
	}
	cr_assert_eq(began, 1);
	cr_assert_eq(starts(last), 1);
}

Test(service, another_build_is_replaced)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	char last[256];
	bool started = false;

	cr_assert(ensure("one", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	int first = running();
	cr_assert(ensure("two", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	cr_assert(started);
	cr_assert_neq(running(), first);
	cr_assert_eq(starts(last), 2);
}

Test(service, one_that_was_killed_is_started_again)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	bool started = false;

	cr_assert(ensure("one", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	stop();
	cr_assert_eq(access(paths.socket, F_OK), 0, "its socket stayed");
	cr_assert_not(service_alive(paths.socket));
	started = false;
	cr_assert(ensure("one", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	cr_assert(started);
}

/* The lock file of one that crashed names a pid that is somebody else's by now. */
Test(service, a_stranger_with_the_old_pid_is_left_alone)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	bool started = false;
	char text[64];
	pid_t stranger = fork();

	if (stranger == 0) {
		pause();
		_exit(0);
	}
	(void)snprintf(text, sizeof(text), "%d 1\n", (int)stranger);
	cr_assert(file_write(AT_FDCWD, paths.lock, rx_view_str(text), 0600, &err));
	cr_assert(file_write(AT_FDCWD, paths.version, RX_VIEW("old"), 0600, &err));
	cr_assert(ensure("one", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	cr_assert(started);
	cr_assert_eq(waitpid(stranger, NULL, WNOHANG), 0, "it lives");
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}

Test(service, one_that_crashes_shows_its_log)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	bool started = false;

	cr_assert(file_write(AT_FDCWD, paths.log, RX_VIEW("from last week\n"), 0600, &err));
	cr_assert_not(ensure("one", "crash", 20000, &started, &err));
	cr_assert_eq(err.code, RX_EIO);
	cr_assert(strstr(rx_buf_str(&err.hint), paths.log));
	cr_assert(strstr(rx_buf_str(&err.hint), "log: first line\nlog: it \\x1b[31mcannot"), "%s",
		  rx_buf_str(&err.hint));
	cr_assert_not(strstr(rx_buf_str(&err.hint), "last week"));
}

Test(service, a_program_that_is_not_there)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	const char *const argv[] = { "/nowhere/at/all", NULL };
	const struct service_spawn how = { argv, 20000, "one", NULL };
	bool started;

	cr_assert_not(service_ensure(&paths, &how, &started, &err));
	cr_assert(strstr(rx_buf_str(&err.hint), "No such file"), "%s", rx_buf_str(&err.hint));
}

Test(service, one_that_never_listens_times_out)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	bool started;

	cr_assert_not(ensure("one", "mute", 500, &started, &err));
	cr_assert_eq(err.code, RX_EIO);
	rx_err_reset(&err);
	/* it holds the lock now: not a second one beside it */
	cr_assert_not(ensure("one", NULL, 300, &started, &err));
	cr_assert(strstr(rx_err_text(&err), "does not accept connections"), "%s",
		  rx_err_text(&err));
	rx_err_reset(&err);
	/* but another build may have its place */
	cr_assert(ensure("two", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	cr_assert(started);
}

Test(service, the_lock_has_one_holder)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(file_close) int lock = -1, second = -1;

	cr_assert(file_write(AT_FDCWD, paths.socket, RX_VIEW(""), 0600, &err), "a stale one");
	cr_assert(service_claim(&paths, "one", &lock, &err), "%s", rx_err_text(&err));
	cr_assert_neq(access(paths.socket, F_OK), 0);
	cr_assert_eq(running(), getpid());
	cr_assert_not(service_claim(&paths, "two", &second, &err));
	cr_assert_eq(err.code, RX_EEXIST);
	cr_assert_eq(second, -1);
	file_close(&lock);
	rx_err_reset(&err);
	cr_assert(service_claim(&paths, "two", &second, &err));
	/* or stop() would take us for the service */
	cr_assert_eq(unlink(paths.lock), 0);
}

Test(service, a_long_log_is_put_aside)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *old = xasprintf("%s.1", paths.log);
	bool started;
	struct stat st;

	cr_assert(file_write(AT_FDCWD, paths.log, RX_VIEW(""), 0600, &err));
	cr_assert_eq(truncate(paths.log, (8 << 20) + 1), 0);
	cr_assert(ensure("one", NULL, 20000, &started, &err), "%s", rx_err_text(&err));
	cr_assert_eq(stat(old, &st), 0);
	cr_assert_eq(st.st_size, (8 << 20) + 1);
	cr_assert_eq(stat(paths.log, &st), 0);
	cr_assert_lt(st.st_size, 10000);
}

Test(service, the_directory_must_be_private)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *fresh = path_join(dir, "a/b");
	RX_CLEANUP(xfreep) char *link = path_join(dir, "link");
	struct service_paths p = { 0 };
	struct stat st;

	cr_assert(service_paths_init(&p, fresh, &err), "%s", rx_err_text(&err));
	cr_assert_eq(stat(fresh, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	service_paths_release(&p);
	cr_assert_eq(chmod(fresh, 0750), 0);
	cr_assert_not(service_paths_init(&p, fresh, &err));
	cr_assert_eq(err.code, RX_EUSAGE);
	cr_assert(strstr(rx_err_text(&err), "chmod 700"));
	rx_err_reset(&err);
	cr_assert_eq(chmod(fresh, 0700), 0);
	cr_assert_eq(symlink(fresh, link), 0);
	cr_assert_not(service_paths_init(&p, link, &err), "a link may be anybody's");
	rx_err_reset(&err);
	if (geteuid() == 0) {
		cr_assert_eq(chown(fresh, 65534, 65534), 0);
		cr_assert_not(service_paths_init(&p, fresh, &err));
		cr_assert(strstr(rx_err_text(&err), "belongs to user 65534"));
		rx_err_reset(&err);
	}
	cr_assert_null(p.dir);
}

Test(service, long_socket_paths_are_refused_before_they_are_cut)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct service_paths p = { 0 };
	char tail[128];

	/* "/socket" makes it 107, then 108 */
	for (size_t total = 107; total <= 108; total++) {
		size_t n = total - strlen("/socket") - strlen(dir) - 1;
		memset(tail, 'x', n);
		tail[n] = '\0';
		RX_CLEANUP(xfreep) char *longer = path_join(dir, tail);
		cr_assert_eq(service_paths_init(&p, longer, &err), total == 107, "%s",
			     rx_err_text(&err));
		service_paths_release(&p);
	}
	cr_assert_eq(err.code, RX_EUSAGE);
}
