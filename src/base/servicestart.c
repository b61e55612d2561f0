/* servicestart: service_ensure, that is: one starter at a time, the old build asked to leave, the
 * new one started and waited for. */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "utf8.h"

#define LOG_ROTATE_BYTES (8 << 20)
#define LOG_SHOWN_BYTES  2048
#define LOG_SHOWN_LINES  10
#define POLL_MS          10
#define READY_FD         3 /* in the service */

extern char **environ;

static int64_t deadline_in(int64_t ms)
{
	return clock_mono_ns() + ms * 1000000;
}

static bool same_build(const struct service_paths *p, const char *build_id)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };

	return file_read(AT_FDCWD, p->version, 4096, &text, &ignored) &&
	       rx_view_eq_str(rx_view_of(&text), build_id);
}

static bool serves(const struct service_paths *p, const char *build_id)
{
	return same_build(p, build_id) && service_alive(p->socket);
}

static bool lock_held(const struct service_paths *p)
{
	RX_CLEANUP(file_close) int fd = open(p->lock, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* The process that holds the lock, as a descriptor, so that it cannot become another one; -1 when
 * there is none or it is just arriving or leaving. */
static int holder(const struct service_paths *p, int64_t *pid_out)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	int64_t pid;
	uint64_t written, now;

	if (!file_read(AT_FDCWD, p->lock, 4096, &text, &ignored) ||
	    sscanf(rx_buf_str(&text), "%" SCNd64 " %" SCNu64, &pid, &written) != 2 || pid <= 1)
		return -1;
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return -1;
	if (!service_start_time(pid, &now) || now != written || !lock_held(p)) {
		file_close(&fd);
		return -1;
	}
	*pid_out = pid;
	return fd;
}

static bool take_start_lock(const struct service_paths *p, int64_t wait_ms, int *out,
			    struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *path = path_join(p->dir, "start.lock");
	RX_CLEANUP(file_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* Another starter waits for its service, and maybe for an old one to go before. */
	int64_t until = deadline_in(2 * wait_ms + 1000);

	if (fd < 0)
		return rx_fail_errno(err, "%s", path);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return rx_fail_errno(err, "cannot lock '%s'", path);
		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "cancelled");
		if (clock_mono_ns() >= until)
			return rx_fail(err, RX_EIO,
				       "another process is starting the service and holds '%s'",
				       path);
		clock_sleep_ms(POLL_MS);
	}
	*out = fd;
	fd = -1;
	return true;
}

/* Waits for a service that holds the lock to listen, or, of another build, to go. `gone` says that
 * the lock is free. */
static bool settle(const struct service_paths *p, const struct service_spawn *how, bool *gone,
		   struct rx_err *err)
{
	int64_t until = deadline_in(how->wait_ms), pid = 0;
	bool asked = false;

	while (lock_held(p)) {
		RX_CLEANUP(file_close) int process = holder(p, &pid);
		if (process >= 0 && same_build(p, how->build_id)) {
			if (service_alive(p->socket)) {
				*gone = false;
				return true;
			}
		} else if (process >= 0 && !asked) {
			if (syscall(SYS_pidfd_send_signal, process, SIGTERM, NULL, 0) < 0 &&
			    errno != ESRCH)
				return rx_fail_errno(err, "cannot ask process %" PRId64 " to end",
						     pid);
			asked = true;
		}
		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "cancelled");
		if (clock_mono_ns() >= until) {
			rx_fail(err, RX_EIO,
				asked ? "process %" PRId64 ", of another build, holds '%s' and "
					"does not end"
				      : "process %" PRId64 " holds '%s' and does not accept "
					"connections",
				pid, p->lock);
			rx_hint(err, "its log is %s", p->log);
			return false;
		}
		clock_sleep_ms(POLL_MS);
	}
	*gone = true;
	return true;
}

/* Never one of 0, 1, 2, even when the caller closed its own: those are about to be replaced. */
static int above_standard(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, READY_FD + 1);

	(void)close(fd);
	return moved;
}

static int open_log(const struct service_paths *p, int64_t *size_out, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *old = xasprintf("%s.1", p->log);
	struct stat st = { 0 };

	if (stat(p->log, &st) == 0 && st.st_size > LOG_ROTATE_BYTES && rename(p->log, old) < 0) {
		rx_fail_errno(err, "cannot rename '%s'", p->log);
		return -1;
	}
	int fd = open(p->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		fd = above_standard(fd);
	if (fd < 0 || fstat(fd, &st) < 0) {
		rx_fail_errno(err, "%s", p->log);
		return -1;
	}
	*size_out = st.st_size;
	return fd;
}

/* Our environment without what ties a process to a make and without the secrets meant for another
 * server, and with the descriptor. */
static char **make_environment(char *ready)
{
	static const char *const dropped[] = { "MAKEFLAGS=", "MFLAGS=", "REMEX_READY_FD=",
					       "REMEX_HEADER=" };
	size_t n = 0, kept = 0;

	while (environ && environ[n])
		n++;
	char **env = xcalloc(n + 2, sizeof(*env));
	for (size_t i = 0; i < n; i++) {
		bool drop = false;
		for (size_t k = 0; k < RX_COUNT(dropped); k++)
			drop = drop || rx_view_starts(rx_view_str(environ[i]), dropped[k]);
		if (!drop)
			env[kept++] = environ[i];
	}
	env[kept] = ready;
	return env;
}

/* In the process that becomes the service. */
static RX_NORETURN void become(const char *const *argv, char **env, int null, int log, int ready)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &plain, NULL); /* some refuse, and need not be told */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(null, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2 &&
	    dup2(ready, READY_FD) == READY_FD && chdir("/") == 0) {
		closefrom(READY_FD + 1);
		(void)execve(argv[0], (char **)argv, env);
	}
	RX_CLEANUP(xfreep)
	char *text = xasprintf("remex: cannot run '%s': %s\n", argv[0], strerrordesc_np(errno));
	struct rx_err ignored = { 0 };
	(void)!file_write_fd(2, text, strlen(text), &ignored);
	_exit(127);
}

/* Forks twice, so that the service belongs to nobody who would have to wait for it. */
static bool spawn(const char *const *argv, int log, int ready, struct rx_err *err)
{
	char setting[32];
	RX_CLEANUP(file_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int status;

	if (null >= 0)
		null = above_standard(null);
	if (null < 0)
		return rx_fail_errno(err, "/dev/null");
	(void)snprintf(setting, sizeof(setting), "REMEX_READY_FD=%d", READY_FD);
	char **env = make_environment(setting);
	pid_t child = fork();
	if (child == 0) {
		(void)setsid();
		pid_t service = fork();
		if (service == 0)
			become(argv, env, null, log, ready);
		_exit(service < 0);
	}
	int why = errno;
	free(env);
	if (child < 0) {
		errno = why;
		return rx_fail_errno(err, "cannot start a process");
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		return true; /* the caller ignores SIGCHLD: then the pipe tells */
	}
	if (status != 0)
		return rx_fail(err, RX_EIO, "cannot start a process");
	return true;
}

/* What the service wrote since, as hints. */
static void show_log(const struct service_paths *p, int64_t from, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = open(p->log, O_RDONLY | O_CLOEXEC);
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	char text[LOG_SHOWN_BYTES];
	struct stat st;
	size_t n = 0, start, lines = 0;

	rx_hint(err, "its log is %s", p->log);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	from = RX_MAX(from, (int64_t)st.st_size - (int64_t)sizeof(text));
	if (!file_pread(fd, text, sizeof(text), from, &n, &ignored))
		return;
	while (n && text[n - 1] == '\n')
		n--;
	for (start = n; start; start--)
		if (text[start - 1] == '\n' && ++lines == LOG_SHOWN_LINES)
			break;
	while (start < n) {
		RX_CLEANUP(rx_buf_release) struct rx_buf line = { 0 };
		const char *end = memchr(text + start, '\n', n - start);
		size_t len = end ? (size_t)(end - text) - start : n - start;
		utf8_add_safe(&line, text + start, len, sizeof(text));
		rx_hint(err, "log: %s", rx_buf_str(&line));
		start += len + 1;
	}
}

/* A byte: it listens. The end of the pipe: it is gone. */
static bool wait_ready(int fd, int64_t wait_ms, struct rx_buf *said, struct rx_err *err)
{
	int64_t until = deadline_in(wait_ms);

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = (until - clock_mono_ns()) / 1000000;
		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "cancelled");
		if (left <= 0)
			return rx_fail(err, RX_EIO,
				       "the service did not get ready within %" PRId64 " ms",
				       wait_ms);
		if (poll(&p, 1, (int)RX_MIN(left, 100)) <= 0)
			continue;
		char text[1 + SERVICE_NOTE_MAX];
		ssize_t n = read(fd, text, sizeof(text));
		if (n > 0) {
			if (said)
				utf8_add_safe(said, text + 1, (size_t)n - 1, SERVICE_NOTE_MAX);
			return true;
		}
		if (n == 0)
			return rx_fail(err, RX_EIO, "the service ended before it was ready");
		if (errno != EINTR)
			return rx_fail_errno(err, "waiting for the service");
	}
}

static bool start(const struct service_paths *p, const struct service_spawn *how,
		  struct rx_err *err)
{
	int64_t log_size = 0;
	int pipe_fd[2];
	RX_CLEANUP(file_close) int log = open_log(p, &log_size, err);

	if (log < 0)
		return false;
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return rx_fail_errno(err, "cannot make a pipe");
	RX_CLEANUP(file_close) int ready = pipe_fd[0];
	RX_CLEANUP(file_close) int child_end = above_standard(pipe_fd[1]);
	if (child_end < 0)
		return rx_fail_errno(err, "cannot make a pipe");
	if (!spawn(how->argv, log, child_end, err))
		return false;
	file_close(&child_end); /* or its end would never be seen */
	if (wait_ready(ready, how->wait_ms, how->said, err))
		return true;
	if (err->code != RX_ECANCEL)
		show_log(p, log_size, err);
	return false;
}

bool service_ensure(const struct service_paths *p, const struct service_spawn *how,
		    bool *started_out, struct rx_err *err)
{
	RX_CLEANUP(file_close) int start_lock = -1;
	bool gone = false;

	if (serves(p, how->build_id)) {
		*started_out = false;
		return true;
	}
	if (!take_start_lock(p, how->wait_ms, &start_lock, err) || !settle(p, how, &gone, err))
		return false;
	if (gone && !start(p, how, err)) {
		/* Somebody may have started one by hand meanwhile; ours then left again. */
		if (err->code == RX_ECANCEL || !serves(p, how->build_id))
			return false;
		rx_err_reset(err);
		gone = false;
	}
	*started_out = gone;
	return true;
}
