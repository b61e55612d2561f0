/* runner: see runner.h. This side of the spawner: what a caller's thread does. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "launch.h"
#include "spawner.h"

#define SEARCH_PATH "/usr/bin:/bin"

/* A job that is under way, in the stack of its caller. */
struct active {
	struct active *next;
	int fd; /* our end of its pair */
	const volatile bool *cancel;
};

struct runner {
	pid_t spawner;
	int sock;
	enum sandbox_variant variant;
	char *why_not;
	pthread_mutex_t lock;
	struct active *active;
};

static void cancel_if_set(const struct active *a)
{
	if (a->cancel && __atomic_load_n(a->cancel, __ATOMIC_ACQUIRE))
		(void)shutdown(a->fd, SHUT_WR);
}

static void enter(struct runner *r, struct active *a)
{
	(void)pthread_mutex_lock(&r->lock);
	a->next = r->active;
	r->active = a;
	cancel_if_set(a);
	(void)pthread_mutex_unlock(&r->lock);
}

static void leave(struct runner *r, struct active *a)
{
	(void)pthread_mutex_lock(&r->lock);
	for (struct active **p = &r->active; *p; p = &(*p)->next)
		if (*p == a) {
			*p = a->next;
			break;
		}
	(void)pthread_mutex_unlock(&r->lock);
}

void runner_wake(struct runner *r)
{
	(void)pthread_mutex_lock(&r->lock);
	for (struct active *a = r->active; a; a = a->next)
		cancel_if_set(a);
	(void)pthread_mutex_unlock(&r->lock);
}

/* The job as launch.h has it. */
static int write_job(const struct runner_job *job, enum sandbox_variant v, unsigned flags,
		     struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { .max = RX_BUF_NO_MAX };
	RX_CLEANUP(file_close) int fd = memfd_create("remex-job", MFD_CLOEXEC);
	struct launch_job h = {
		.magic = LAUNCH_MAGIC, .flags = flags, .uid = SANDBOX_UID, .gid = SANDBOX_GID
	};
	const char *inside = v == SANDBOX_NONE ? job->root : SANDBOX_ROOT;
	int out;

	if (fd < 0) {
		(void)rx_fail_errno(err, "creating a memory file");
		return -1;
	}
	for (; job->argv && job->argv[h.n_argv]; h.n_argv++)
		;
	h.n_env = (uint32_t)job->n_env;
	rx_buf_add(&b, &h, sizeof(h));
	rx_buf_add(&b, job->root ? job->root : "", job->root ? strlen(job->root) + 1 : 1);
	rx_buf_add(&b, inside ? inside : "", inside ? strlen(inside) + 1 : 1);
	rx_buf_add(&b, job->cwd ? job->cwd : "", job->cwd ? strlen(job->cwd) + 1 : 1);
	rx_buf_addf(&b, "%s", job->search_path ? job->search_path : SEARCH_PATH);
	rx_buf_add_char(&b, 0);
	for (size_t i = 0; i < h.n_argv; i++)
		rx_buf_add(&b, job->argv[i], strlen(job->argv[i]) + 1);
	for (size_t i = 0; i < job->n_env; i++) {
		rx_buf_add_str(&b, job->env[i].name);
		rx_buf_add_char(&b, '=');
		rx_buf_add(&b, job->env[i].value, strlen(job->env[i].value) + 1);
	}
	h.size = b.n;
	memcpy(b.p, &h, sizeof(h));
	if (!file_write_fd(fd, b.p, b.n, err))
		return -1;
	out = fd;
	fd = -1;
	return out;
}

static bool send_request(struct runner *r, const struct spawner_request *rq, const int *fds,
			 struct rx_err *err)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * SPAWNER_FDS)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)rq, sizeof(*rq) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * SPAWNER_FDS);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * SPAWNER_FDS);
	do
		n = sendmsg(r->sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*rq))
		return rx_fail_errno(err, "handing the action to the spawner process");
	return true;
}

/* Sends a job and waits for its answer. */
static bool roundtrip(struct runner *r, const struct runner_job *job, enum sandbox_variant v,
		      unsigned flags, const volatile bool *cancel, struct spawner_reply *reply,
		      struct rx_err *err)
{
	const struct spawner_request rq = { .variant = v,
					    .has_root = job->root != NULL,
					    .timeout_ms = job->timeout_ms,
					    .output_limit = job->output_limit > 0
								    ? job->output_limit
								    : RUNNER_OUTPUT_LIMIT };
	RX_CLEANUP(file_close) int mine = -1;
	RX_CLEANUP(file_close) int theirs = -1;
	RX_CLEANUP(file_close) int file = write_job(job, v, flags, err);
	struct active a;
	int pair[2];
	ssize_t n;
	bool ok;

	if (file < 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return rx_fail_errno(err, "creating a socket pair");
	mine = pair[0];
	theirs = pair[1];
	ok = send_request(r, &rq,
			  (const int[SPAWNER_FDS]){ theirs, file, job->stdout_fd, job->stderr_fd },
			  err);
	if (!ok)
		return false;
	file_close(&theirs); /* else the end of the keeper would not end our wait */
	a = (struct active){ .fd = mine, .cancel = cancel };
	enter(r, &a);
	do
		n = recv(mine, reply, sizeof(*reply), 0);
	while (n < 0 && errno == EINTR);
	leave(r, &a);
	if (n != (ssize_t)sizeof(*reply))
		return rx_fail(err, RX_EIO, "the process that watches the action has died");
	reply->text[sizeof(reply->text) - 1] = 0;
	return true;
}

static bool probe(struct runner *r, enum sandbox_variant v, struct rx_buf *why, struct rx_err *err)
{
	RX_CLEANUP(file_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct runner_job job = { .stdout_fd = null, .stderr_fd = null };
	struct spawner_reply reply;

	if (null < 0)
		return rx_fail_errno(err, "opening /dev/null");
	if (!roundtrip(r, &job, v, sandbox_launch_flags(v) | LAUNCH_PROBE, NULL, &reply, err))
		return false;
	rx_buf_reset(why);
	if (!reply.ok)
		rx_buf_add_str(why, reply.text);
	return true;
}

/* Tries the ways to a sandbox in turn; the last reason is the one that counts, as the variants get
 * more modest. */
static bool choose(struct runner *r, enum runner_sandbox wanted, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf why = { 0 };
	const enum sandbox_variant *v = sandbox_candidates(geteuid() == 0);

	r->variant = SANDBOX_NONE;
	if (wanted == RUNNER_NONE) {
		r->why_not = xstrdup("it was not asked for");
		return true;
	}
	for (; *v != SANDBOX_NONE; v++) {
		if (!probe(r, *v, &why, err))
			return rx_wrap(err, "trying the sandbox");
		if (why.n == 0) {
			r->variant = *v;
			return true;
		}
	}
	if (wanted == RUNNER_NAMESPACE) {
		(void)rx_fail(err, RX_EUSAGE, "the sandbox does not work here: %s",
			      rx_buf_str(&why));
		rx_hint(err, "try: install bubblewrap, allow user namespaces, or --sandbox none");
		return false;
	}
	r->why_not = rx_buf_take(&why);
	return true;
}

struct runner *runner_new(enum runner_sandbox wanted, struct rx_err *err)
{
	struct runner *r = xcalloc(1, sizeof(*r));
	int pair[2];

	(void)pthread_mutex_init(&r->lock, NULL);
	r->sock = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		(void)rx_fail_errno(err, "creating a socket pair");
		runner_free(r);
		return NULL;
	}
	r->spawner = fork();
	if (r->spawner == 0)
		spawner_main(pair[1]);
	r->sock = pair[0];
	(void)close(pair[1]);
	if (r->spawner < 0) {
		(void)rx_fail_errno(err, "starting the spawner process");
		runner_free(r);
		return NULL;
	}
	if (!choose(r, wanted, err)) {
		runner_free(r);
		return NULL;
	}
	return r;
}

void runner_free(struct runner *r)
{
	if (!r)
		return;
	file_close(&r->sock); /* the spawner ends what still runs, then itself */
	if (r->spawner > 0)
		while (waitpid(r->spawner, NULL, 0) < 0 && errno == EINTR)
			;
	(void)pthread_mutex_destroy(&r->lock);
	free(r->why_not);
	free(r);
}

enum runner_sandbox runner_sandbox_kind(const struct runner *r)
{
	return r->variant == SANDBOX_NONE ? RUNNER_NONE : RUNNER_NAMESPACE;
}

const char *runner_sandbox_why_not(const struct runner *r)
{
	return r->why_not;
}

bool runner_owner(const struct runner *r, uid_t *uid, gid_t *gid)
{
	if (r->variant != SANDBOX_ROOT_DROPS)
		return false;
	*uid = SANDBOX_UID;
	*gid = SANDBOX_GID;
	return true;
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *runner_layout(enum runner_sandbox kind)
{
	return kind == RUNNER_NONE ? "none" : "namespace " TEXT(SANDBOX_LAYOUT);
}

bool runner_run(struct runner *r, const struct runner_job *job, const volatile bool *cancel,
		struct runner_result *out, struct rx_err *err)
{
	struct spawner_reply reply;

	if (!job->argv || !job->argv[0])
		return rx_fail(err, RX_EUSAGE, "the action has no command");
	if (!job->root || job->root[0] != '/')
		return rx_fail(err, RX_EUSAGE, "the execution root must be an absolute path");
	if (cancel && __atomic_load_n(cancel, __ATOMIC_ACQUIRE)) {
		*out = (struct runner_result){ .how = RUNNER_CANCELLED };
		return true;
	}
	if (!roundtrip(r, job, r->variant, sandbox_launch_flags(r->variant), cancel, &reply, err))
		return rx_wrap(err, "running '%s'", job->argv[0]);
	if (!reply.ok)
		return rx_fail(err, RX_EIO, "running '%s': %s", job->argv[0], reply.text);
	*out = (struct runner_result){ .how = (enum runner_end)reply.how,
				       .start_ns = reply.start_ns,
				       .end_ns = reply.end_ns,
				       .user_us = reply.user_us,
				       .system_us = reply.system_us,
				       .max_rss_kib = reply.max_rss_kib };
	if (WIFSIGNALED(reply.status)) {
		out->signal = WTERMSIG(reply.status);
		out->exit_code = 128 + out->signal;
	} else {
		out->exit_code = WEXITSTATUS(reply.status);
	}
	return true;
}
