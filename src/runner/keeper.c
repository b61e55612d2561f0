/* keeper: see keeper.h. */
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "launch.h"
#include "runner.h"

/* How often output sizes are looked at; what an action writes in between passes the limit. A file
 * size limit (RLIMIT_FSIZE) would hit every file of the action instead. */
#define OUTPUT_CHECK_MS 100
/* While something that was killed has not gone yet: a process may have forked just before. */
#define KILL_AGAIN_MS 20

struct keeper {
	const struct sandbox *sandbox;
	const struct spawner_request *rq;
	int reply, job, out[2];   /* stdout, stderr of the action */
	int64_t out_start[2];     /* their sizes before */
	int signals, report, say; /* say: what bubblewrap itself prints */
	pid_t leader;             /* bubblewrap, or the launcher */
	bool leader_gone, all_gone;
	bool started, has_end, failed;
	struct launch_report first, last;
	bool forced; /* ended by us: `how` */
	enum runner_end how;
	int64_t deadline_ns; /* monotonic, 0 = none */
};

static RX_NORETURN void answer(struct keeper *k, struct spawner_reply *r)
{
	(void)send(k->reply, r, sizeof(*r), MSG_NOSIGNAL);
	_exit(0);
}

static RX_NORETURN void give_up(struct keeper *k, const char *what, int e)
{
	struct spawner_reply r = { .ok = false };

	(void)snprintf(r.text, sizeof(r.text), "%s: %s", what, strerror(e));
	answer(k, &r);
}

/* The child that becomes the sandbox or the launcher. */
static RX_NORETURN void child(struct keeper *k, const char *root, int report_fd, int say_fd)
{
	int fds[4] = { k->job, report_fd, k->out[0], k->out[1] };
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (k->rq->variant != SANDBOX_NONE) {
		sandbox_exec(k->sandbox, (enum sandbox_variant)k->rq->variant, root, fds, say_fd);
		(void)dprintf(say_fd, "executing %s: %s", k->sandbox->bwrap, strerror(errno));
		_exit(1);
	}
	(void)setsid();
	for (int i = 0; i < 4; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i < 4; i++)
		if (dup2(fds[i], LAUNCH_FD_JOB + i) < 0)
			_exit(1);
	_exit(launch_run());
}

/* The host's root of the job: the first string of its file. */
static const char *job_root(struct keeper *k)
{
	struct stat st;
	void *map;

	if (fstat(k->job, &st) != 0 || (size_t)st.st_size <= sizeof(struct launch_job))
		give_up(k, "reading the job", EINVAL);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, k->job, 0);
	if (map == MAP_FAILED)
		give_up(k, "reading the job", errno);
	return (const char *)map + sizeof(struct launch_job);
}

static void start(struct keeper *k)
{
	const char *root = k->rq->has_root ? job_root(k) : NULL;
	int report[2], say[2];

	if (pipe2(report, O_CLOEXEC) != 0 || pipe2(say, O_CLOEXEC) != 0)
		give_up(k, "creating a pipe", errno);
	(void)fcntl(report[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(say[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(say[1], F_SETFL, O_NONBLOCK);
	k->leader = fork();
	if (k->leader < 0)
		give_up(k, "starting a process", errno);
	if (k->leader == 0)
		child(k, root, report[1], say[1]);
	(void)close(report[1]);
	(void)close(say[1]);
	k->report = report[0];
	k->say = say[0];
}

/* Kills our direct children: they stay ours until we wait, so no process id can mean somebody else;
 * theirs become ours as they die, for the next round. */
static void kill_children(struct keeper *k)
{
	const long self = getpid();
	DIR *d;
	struct dirent *e;

	if (!k->leader_gone)
		(void)kill(k->leader, SIGKILL);
	d = opendir("/proc");
	if (!d)
		return;
	while ((e = readdir(d))) {
		char stat[512], *p;
		long pid = strtol(e->d_name, &p, 10);
		ssize_t n;
		int fd;

		if (*p || pid <= 0)
			continue;
		(void)snprintf(stat, sizeof(stat), "/proc/%ld/stat", pid);
		fd = open(stat, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, stat, sizeof(stat) - 1);
		(void)close(fd);
		if (n <= 0)
			continue;
		stat[n] = 0;
		p = strrchr(stat, ')'); /* "pid (name) state ppid": a name may hold anything */
		if (p && strlen(p) > 4 && strtol(p + 4, NULL, 10) == self)
			(void)kill((pid_t)pid, SIGKILL);
	}
	(void)closedir(d);
}

static void force(struct keeper *k, enum runner_end how)
{
	if (!k->forced && !k->leader_gone) {
		k->forced = true;
		k->how = how;
	}
	kill_children(k);
}

static void read_reports(struct keeper *k)
{
	struct launch_report r;
	ssize_t n;

	while ((n = read(k->report, &r, sizeof(r))) == (ssize_t)sizeof(r)) {
		if (r.kind == LAUNCH_STARTED && !k->started) {
			k->started = true;
			k->first = r;
			if (k->rq->timeout_ms > 0)
				k->deadline_ns =
					clock_mono_ns() +
					RX_MIN(k->rq->timeout_ms, INT64_MAX / 2000000) * 1000000;
		} else if (r.kind == LAUNCH_ENDED || r.kind == LAUNCH_FAILED) {
			k->has_end = r.kind == LAUNCH_ENDED;
			k->failed = r.kind == LAUNCH_FAILED;
			k->last = r;
			k->last.text[sizeof(r.text) - 1] = 0;
		}
	}
	if (n == 0) {
		(void)close(k->report);
		k->report = -1;
	}
}

static void reap(struct keeper *k)
{
	struct signalfd_siginfo info;
	bool stop = false;
	pid_t pid;

	while (read(k->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		stop |= info.ssi_signo == SIGTERM;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (pid == k->leader)
			k->leader_gone = true;
	k->all_gone = pid < 0 && errno == ECHILD;
	if (stop)
		force(k, RUNNER_CANCELLED);
	else if (k->leader_gone && !k->all_gone)
		kill_children(k); /* what the action left behind */
}

static bool output_too_large(const struct keeper *k)
{
	for (int i = 0; i < 2; i++) {
		struct stat st;

		if (k->rq->output_limit > 0 && fstat(k->out[i], &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size - k->out_start[i] > k->rq->output_limit)
			return true;
	}
	return false;
}

static int wait_ms(const struct keeper *k)
{
	int64_t ms = OUTPUT_CHECK_MS;

	if (k->forced || k->leader_gone)
		return KILL_AGAIN_MS;
	if (k->deadline_ns)
		ms = RX_MIN(ms, (k->deadline_ns - clock_mono_ns() + 999999) / 1000000);
	return (int)RX_MAX(ms, 0);
}

static void watch(struct keeper *k)
{
	while (!k->all_gone) {
		struct pollfd p[3] = { { k->signals, POLLIN, 0 },
				       { k->forced || k->leader_gone ? -1 : k->reply, POLLIN, 0 },
				       { k->report, POLLIN, 0 } };

		if (poll(p, 3, wait_ms(k)) < 0)
			continue;
		if (p[2].revents)
			read_reports(k);
		/* The other end sends nothing: it hung up. */
		if (p[1].revents)
			force(k, RUNNER_CANCELLED);
		reap(k);
		if (k->all_gone)
			break;
		if (k->forced || k->leader_gone)
			kill_children(k);
		else if (k->deadline_ns && clock_mono_ns() >= k->deadline_ns)
			force(k, RUNNER_TIMED_OUT);
		else if (output_too_large(k))
			force(k, RUNNER_OUTPUT_TOO_LARGE);
	}
	if (k->report >= 0)
		read_reports(k);
}

/* The job could not be run: in the words of whoever knows. */
static void explain(struct keeper *k, struct spawner_reply *r)
{
	ssize_t n;

	if (k->failed) {
		(void)snprintf(r->text, sizeof(r->text), "%s", k->last.text);
		return;
	}
	if (k->started) {
		(void)snprintf(r->text, sizeof(r->text),
			       "the process that watches the action was killed (out of memory?)");
		return;
	}
	n = read(k->say, r->text, sizeof(r->text) - 1);
	while (n > 0 && r->text[n - 1] == '\n')
		n--;
	if (n > 0)
		r->text[n] = 0;
	else
		(void)snprintf(r->text, sizeof(r->text), "the sandbox ended without a word");
}

static RX_NORETURN void finish(struct keeper *k)
{
	struct spawner_reply r = { .ok = true, .start_ns = k->first.start_ns };
	struct rusage ru;

	if (!k->forced && k->has_end && output_too_large(k)) {
		k->forced = true;
		k->how = RUNNER_OUTPUT_TOO_LARGE;
	}
	if (k->has_end) {
		r.status = k->last.status;
		r.end_ns = k->last.end_ns;
		r.user_us = k->last.user_us;
		r.system_us = k->last.system_us;
		r.max_rss_kib = k->last.max_rss_kib;
	} else if (getrusage(RUSAGE_CHILDREN, &ru) == 0) {
		r.end_ns = clock_wall_ns();
		r.user_us = (int64_t)ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec;
		r.system_us = (int64_t)ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
		r.max_rss_kib = ru.ru_maxrss;
	}
	if (k->forced) {
		r.how = k->how;
		r.status = SIGKILL;
	} else if (k->has_end) {
		r.how = WIFSIGNALED(r.status) ? RUNNER_SIGNALED : RUNNER_EXITED;
	} else {
		r.ok = false;
		explain(k, &r);
	}
	answer(k, &r);
}

void keeper_main(const struct sandbox *s, const struct spawner_request *rq,
		 const int fds[SPAWNER_FDS])
{
	struct keeper k = { .sandbox = s,
			    .rq = rq,
			    .reply = fds[SPAWNER_FD_REPLY],
			    .job = fds[SPAWNER_FD_JOB],
			    .out = { fds[SPAWNER_FD_OUT], fds[SPAWNER_FD_ERR] },
			    .report = -1 };
	struct stat st;
	sigset_t set;

	(void)prctl(PR_SET_NAME, "remex-keeper", 0, 0, 0);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		give_up(&k, "becoming a subreaper", errno);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	k.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k.signals < 0)
		give_up(&k, "signalfd", errno);
	for (int i = 0; i < 2; i++)
		k.out_start[i] = fstat(k.out[i], &st) == 0 ? st.st_size : 0;
	if (rq->variant != SANDBOX_NONE && !s->bwrap) {
		struct spawner_reply r = { .ok = false };

		(void)snprintf(r.text, sizeof(r.text),
			       "bubblewrap (bwrap) is not installed or not in PATH");
		answer(&k, &r);
	}
	start(&k);
	watch(&k);
	finish(&k);
}
