/* spawner: see spawner.h. */
#include "spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "keeper.h"

struct spawner {
	int sock, signals;
	struct sandbox sandbox;
	char why[512]; /* the sandbox could not be prepared */
	pid_t *keepers;
	size_t n, cap;
};

/* Alone: no descriptor, terminal, directory or signal disposition of whoever started us. */
static void become_alone(struct spawner *s)
{
	sigset_t set;
	int null;

	(void)setsid(); /* the terminal's Ctrl-C is not for us: the runner tells us when to end */
	if (s->sock != 3) {
		(void)dup2(s->sock, 3);
		s->sock = 3;
	}
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	(void)close_range(4, ~0u, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	(void)close(null);
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	/* Everything that can be blocked is: SIGTERM of a `pkill remex` must not orphan actions. */
	(void)sigfillset(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)chdir("/");
	(void)prctl(PR_SET_NAME, "remex-spawner", 0, 0, 0);
}

static void reap(struct spawner *s, int flags)
{
	struct signalfd_siginfo info;
	pid_t pid;

	while (read(s->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, NULL, flags)) > 0 || (pid < 0 && errno == EINTR)) {
		for (size_t i = 0; pid > 0 && i < s->n; i++)
			if (s->keepers[i] == pid) {
				s->keepers[i] = s->keepers[--s->n];
				break;
			}
	}
}

static void refuse(int reply_fd, const char *why)
{
	struct spawner_reply r = { .ok = false };

	(void)snprintf(r.text, sizeof(r.text), "%s", why);
	(void)send(reply_fd, &r, sizeof(r), MSG_NOSIGNAL);
}

static void start(struct spawner *s, const struct spawner_request *rq, const int fds[SPAWNER_FDS])
{
	pid_t pid;

	if (s->why[0]) {
		refuse(fds[SPAWNER_FD_REPLY], s->why);
		return;
	}
	pid = fork();
	if (pid == 0) {
		(void)close(s->sock);
		(void)close(s->signals);
		keeper_main(&s->sandbox, rq, fds);
	}
	if (pid < 0) {
		char why[128];

		(void)snprintf(why, sizeof(why), "starting a process: %s", strerror(errno));
		refuse(fds[SPAWNER_FD_REPLY], why);
		return;
	}
	RX_GROW(s->keepers, s->n, s->cap);
	s->keepers[s->n++] = pid;
}

/* False at the end: nobody is left to send jobs. */
static bool take_request(struct spawner *s)
{
	struct spawner_request rq;
	union {
		char buf[CMSG_SPACE(sizeof(int) * SPAWNER_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &rq, sizeof(rq) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;
	int fds[SPAWNER_FDS];
	size_t n = 0;
	ssize_t got = recvmsg(s->sock, &m, MSG_CMSG_CLOEXEC);

	if (got <= 0)
		return got < 0 && errno == EINTR;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	if (n == SPAWNER_FDS && got == (ssize_t)sizeof(rq))
		start(s, &rq, fds);
	else if (n > 0)
		refuse(fds[SPAWNER_FD_REPLY], "too many open files in the spawner process");
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	return true;
}

void spawner_main(int sock)
{
	struct spawner s = { .sock = sock };
	struct rx_err err = { 0 };
	bool more = true;

	become_alone(&s);
	if (!sandbox_init(&s.sandbox, &err))
		(void)snprintf(s.why, sizeof(s.why), "%s", rx_err_text(&err));
	while (more) {
		struct pollfd p[2] = { { s.sock, POLLIN, 0 }, { s.signals, POLLIN, 0 } };

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			reap(&s, WNOHANG);
		if (p[0].revents)
			more = take_request(&s);
	}
	for (size_t i = 0; i < s.n; i++)
		(void)kill(s.keepers[i], SIGTERM);
	reap(&s, 0);
	_exit(0);
}
