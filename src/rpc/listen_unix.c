/* listen_unix: accept, ask the kernel who it is, hand over. */
#include "listen_unix.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "file.h"
#include "log.h"

/* As much as the system allows: gRPC takes the EAGAIN of a full queue for a connection. */
#define BACKLOG        INT_MAX
#define EXHAUSTED_WAIT 100 /* ms before the next accept when descriptors have run out */

struct listen_unix {
	char *path, *hidden_path;
	bool hidden;
	int fd, stop;
	dev_t dev;
	ino_t ino;
	pthread_t thread;
	void (*enter)(void *ctx, int fd);
	void *ctx;
};

/* The file's mode and directory already say so; this holds when somebody loosened them. */
static bool may_enter(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return false;
	if (who.uid == geteuid() || who.uid == 0)
		return true;
	rx_debug("listen: refused a connection of user %u", (unsigned)who.uid);
	return false;
}

static void *door_main(void *arg)
{
	struct listen_unix *u = arg;
	struct pollfd p[] = { { .fd = u->stop, .events = POLLIN },
			      { .fd = u->fd, .events = POLLIN } };

	for (;;) {
		if (poll(p, RX_COUNT(p), -1) < 0)
			continue;
		if (p[0].revents)
			return NULL;
		int fd = accept4(u->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0 && may_enter(fd)) {
			u->enter(u->ctx, fd);
		} else if (fd >= 0) {
			close(fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM) {
			rx_debug("listen: accept: %s", strerror(errno));
			poll(p, 1, EXHAUSTED_WAIT);
		}
	}
}

static bool bind_private(int fd, const struct sockaddr_un *at)
{
	/* Nobody may connect between bind and chmod. */
	mode_t old = umask(0177);
	int r = bind(fd, (const struct sockaddr *)at, sizeof(*at));
	int e = errno;

	umask(old);
	errno = e;
	return r == 0 && chmod(at->sun_path, 0600) == 0;
}

static bool open_socket(struct listen_unix *u, const char *path, struct rx_err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(path) >= sizeof(at.sun_path))
		return rx_fail(err, RX_EUSAGE,
			       "listening on unix:%s: socket paths end at %zu bytes, this has %zu",
			       path, sizeof(at.sun_path) - 1, strlen(path));
	memcpy(at.sun_path, path, strlen(path) + 1);
	u->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	u->stop = eventfd(0, EFD_CLOEXEC);
	if (u->fd < 0 || u->stop < 0 || !bind_private(u->fd, &at))
		return rx_fail_errno(err, "listening on unix:%s", path);
	if (listen(u->fd, BACKLOG) != 0 || lstat(path, &st) != 0) {
		rx_fail_errno(err, "listening on unix:%s", path);
		unlink(path); /* just made by our bind */
		return false;
	}
	u->dev = st.st_dev;
	u->ino = st.st_ino;
	return true;
}

struct listen_unix *listen_unix_open(const char *path, void (*enter)(void *ctx, int fd), void *ctx,
				     struct rx_err *err)
{
	struct listen_unix *u = xcalloc(1, sizeof(*u));
	sigset_t all, old;

	u->fd = u->stop = -1;
	u->enter = enter;
	u->ctx = ctx;
	if (!open_socket(u, path, err))
		goto fail;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int e = pthread_create(&u->thread, NULL, door_main, u);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e) {
		errno = e;
		rx_fail_errno(err, "listening on unix:%s: no thread", path);
		unlink(path);
		goto fail;
	}
	u->path = xstrdup(path);
	u->hidden_path = xasprintf("%s.hidden", path);
	return u;
fail:
	file_close(&u->fd);
	file_close(&u->stop);
	free(u);
	return NULL;
}

/* Whether the socket's name still leads to ours. */
static bool is_ours(const struct listen_unix *u, const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_dev == u->dev && st.st_ino == u->ino;
}

void listen_unix_hide(struct listen_unix *u, bool hidden)
{
	const char *from = hidden ? u->path : u->hidden_path;

	if (u->hidden != hidden && is_ours(u, from) &&
	    rename(from, hidden ? u->hidden_path : u->path) == 0)
		u->hidden = hidden;
}

void listen_unix_close(struct listen_unix *u)
{
	const char *path;
	uint64_t one = 1;

	if (!u)
		return;
	while (write(u->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(u->thread, NULL);
	path = u->hidden ? u->hidden_path : u->path;
	if (is_ours(u, path))
		unlink(path);
	file_close(&u->fd);
	file_close(&u->stop);
	free(u->path);
	free(u->hidden_path);
	free(u);
}
