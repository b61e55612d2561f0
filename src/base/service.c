/* service: the directory of a background process of ours, its lock and its socket. Starting one is
 * in servicestart.c.
 *
 * The lock file says "pid start-time": flock tells that a holder lives, the start time (as in
 * /proc) that the pid is still its and not that of a stranger. */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"

#define CLAIM_WAIT_MS 100

static bool check_dir(const char *dir, struct rx_err *err)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return rx_fail_errno(err, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return rx_fail(err, RX_EUSAGE, "'%s' is not a directory", dir);
	if (st.st_uid != geteuid())
		return rx_fail(err, RX_EUSAGE, "'%s' belongs to user %u, not to us (user %u)", dir,
			       st.st_uid, geteuid());
	if (st.st_mode & 077)
		return rx_fail(err, RX_EUSAGE,
			       "'%s' is open to others (mode %03o); try: chmod 700 '%s'", dir,
			       st.st_mode & 0777, dir);
	return true;
}

bool service_paths_init(struct service_paths *p, const char *dir, struct rx_err *err)
{
	struct stat st;

	/* Only what this makes is 0700 by itself; what is there has to be right already. */
	if (lstat(dir, &st) < 0 && errno == ENOENT && !file_mkdirs(AT_FDCWD, dir, 0700, false, err))
		return false;
	if (!check_dir(dir, err))
		return false;
	/* The service has another working directory. */
	char *real = realpath(dir, NULL);
	if (!real)
		return rx_fail_errno(err, "%s", dir);
	struct service_paths made = {
		.dir = real,
		.lock = path_join(real, "lock"),
		.socket = path_join(real, "socket"),
		.log = path_join(real, "log"),
		.version = path_join(real, "version"),
	};
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	if (strlen(made.socket) > most) {
		rx_fail(err, RX_EUSAGE,
			"the socket path '%s' has %zu bytes, Linux allows %zu: choose a directory "
			"with a shorter path",
			made.socket, strlen(made.socket), most);
		service_paths_release(&made);
		return false;
	}
	*p = made;
	return true;
}

void service_paths_release(struct service_paths *p)
{
	if (!p)
		return;
	free(p->dir);
	free(p->lock);
	free(p->socket);
	free(p->log);
	free(p->version);
	*p = (struct service_paths){ 0 };
}

bool service_start_time(int64_t pid, uint64_t *out)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
	if (!file_read(AT_FDCWD, path, 4096, &text, &ignored))
		return false;
	/* Field 22; the second one, the name, may hold anything but ends with the last ')'. */
	const char *at = strrchr(rx_buf_str(&text), ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	return at && sscanf(at, "%" SCNu64, out) == 1;
}

/* The spawner of a service inherits nothing it should not keep. */
static void ready_fd_close_on_exec(void)
{
	const char *text = getenv("REMEX_READY_FD");

	if (text)
		(void)fcntl((int)strtol(text, NULL, 10), F_SETFD, FD_CLOEXEC);
}

static bool take_lock(int fd, const struct service_paths *p, struct rx_err *err)
{
	/* service_ensure looks whether the lock is free by taking it for a moment. */
	int64_t until = clock_mono_ns() + (int64_t)CLAIM_WAIT_MS * 1000000;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return rx_fail_errno(err, "cannot lock '%s'", p->lock);
		if (clock_mono_ns() >= until)
			return rx_fail(err, RX_EEXIST, "another process holds '%s'", p->lock);
		clock_sleep_ms(5);
	}
	return true;
}

bool service_claim(const struct service_paths *p, const char *build_id, int *lock_out,
		   struct rx_err *err)
{
	RX_CLEANUP(file_close)
	int fd = open(p->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint64_t start = 0;
	char text[64];

	if (fd < 0)
		return rx_fail_errno(err, "%s", p->lock);
	ready_fd_close_on_exec();
	if (!take_lock(fd, p, err))
		return false;
	if (unlink(p->socket) < 0 && errno != ENOENT)
		return rx_fail_errno(err, "cannot remove the old '%s'", p->socket);
	/* The version first: whoever finds us in the lock file believes what it says. */
	if (!file_write(AT_FDCWD, p->version, rx_view_str(build_id), 0600, err))
		return false;
	if (!service_start_time(getpid(), &start))
		return rx_fail(err, RX_EIO, "cannot read our start time from /proc");
	int n = snprintf(text, sizeof(text), "%ld %" PRIu64 "\n", (long)getpid(), start);
	if (ftruncate(fd, 0) < 0)
		return rx_fail_errno(err, "%s", p->lock);
	if (!file_write_fd(fd, text, (size_t)n, err))
		return rx_wrap(err, "%s", p->lock);
	*lock_out = fd;
	fd = -1;
	return true;
}

void service_ready(const char *note)
{
	const char *text = getenv("REMEX_READY_FD");
	char said[1 + SERVICE_NOTE_MAX + 1]; /* one write, so that it is one read */

	if (!text)
		return;
	int fd = (int)strtol(text, NULL, 10);
	if (fd > 2) {
		/* Whoever started us may have given up waiting: then this must not be SIGPIPE. */
		void (*before)(int) = signal(SIGPIPE, SIG_IGN);
		struct rx_err ignored = { 0 };
		(void)snprintf(said, sizeof(said), "1%s", note ? note : "");
		if (!file_write_fd(fd, said, strlen(said), &ignored))
			rx_err_release(&ignored);
		(void)signal(SIGPIPE, before);
		file_close(&fd);
	}
	(void)unsetenv("REMEX_READY_FD");
}

bool service_alive(const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(socket_path);

	if (n >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, socket_path, n);
	RX_CLEANUP(file_close)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	/* EAGAIN: its queue of connections is full, so it is there. */
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
	       errno == EAGAIN;
}
