/* launch: see launch.h. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Enough for any linker, small enough that a program closing them all one by one stays quick. */
#define OPEN_FILES  65536
#define STACK_BYTES (8u << 20)

struct launch {
	const struct launch_job *job;
	const char *root, *cwd, *search_path;
	char **argv, **env;
	struct launch_report report;
};

static void say(struct launch *l, enum launch_kind kind)
{
	ssize_t n;

	l->report.kind = kind;
	do
		n = write(LAUNCH_FD_REPORT, &l->report, sizeof(l->report));
	while (n < 0 && errno == EINTR);
}

static int __attribute__((format(printf, 2, 3))) fail(struct launch *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(l->report.text, sizeof(l->report.text), fmt, ap);
	va_end(ap);
	say(l, LAUNCH_FAILED);
	return 1;
}

static int64_t wall_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The next string of the job, NULL when it has no end. */
static char *next_string(char **at, char *end)
{
	char *s = *at, *nul = memchr(s, 0, (size_t)(end - s));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return s;
}

/* Private and writable, as the strings become argv and environ. */
static bool read_job(struct launch *l)
{
	struct stat st;
	char *map, *at, *end;
	const char *strings[LAUNCH_STRINGS];
	const struct launch_job *j;
	size_t i;

	if (fstat(LAUNCH_FD_JOB, &st) != 0 || (size_t)st.st_size < sizeof(*j))
		return false;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, LAUNCH_FD_JOB, 0);
	if (map == MAP_FAILED)
		return false;
	j = l->job = (const struct launch_job *)(void *)map;
	if (j->magic != LAUNCH_MAGIC || j->size != (uint64_t)st.st_size || j->n_argv > j->size ||
	    j->n_env > j->size)
		return false;
	at = map + sizeof(*j);
	end = map + st.st_size;
	for (i = 0; i < LAUNCH_STRINGS; i++)
		if (!(strings[i] = next_string(&at, end)))
			return false;
	l->root = strings[1];
	l->cwd = strings[2];
	l->search_path = strings[3];
	l->argv = calloc((size_t)j->n_argv + 1, sizeof(*l->argv));
	l->env = calloc((size_t)j->n_env + 1, sizeof(*l->env));
	if (!l->argv || !l->env)
		return false;
	for (i = 0; i < j->n_argv; i++)
		if (!(l->argv[i] = next_string(&at, end)))
			return false;
	for (i = 0; i < j->n_env; i++)
		if (!(l->env[i] = next_string(&at, end)))
			return false;
	return true;
}

/* From root inside the sandbox to somebody who owns nothing; no way back. The bounding set goes
 * first, as that needs a capability itself. */
static bool drop_rights(uint32_t uid, uint32_t gid)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	unsigned long cap;

	for (cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return false;
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0 || syscall(SYS_capset, &h, none) != 0)
		return false;
	return setresuid(0, 0, 0) != 0;
}

static void set_limit(int which, rlim_t want)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)which, &r) != 0)
		return;
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < want)
		want = r.rlim_max;
	r.rlim_cur = want;
	if (which != RLIMIT_STACK)
		r.rlim_max = want;
	(void)setrlimit((__rlimit_resource_t)which, &r);
}

/* Results must not depend on the limits of whoever started the server. */
static void set_surroundings(void)
{
	(void)umask(022);
	set_limit(RLIMIT_CORE, 0);
	set_limit(RLIMIT_NOFILE, OPEN_FILES);
	set_limit(RLIMIT_STACK, STACK_BYTES);
}

static bool set_descriptors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(LAUNCH_FD_OUT, 1) < 0 ||
	    dup2(LAUNCH_FD_ERR, 2) < 0)
		return false;
	(void)close(LAUNCH_FD_JOB);
	(void)close_range(LAUNCH_FD_OUT, ~0u, 0);
	return fcntl(LAUNCH_FD_REPORT, F_SETFD, FD_CLOEXEC) == 0;
}

/* What the sandbox promises, asked from inside. */
static int probe(struct launch *l)
{
	struct statvfs fs;
	int fd;

	if (getuid() != l->job->uid || geteuid() != l->job->uid || getgid() != l->job->gid)
		return fail(l, "it does not change the user");
	fd = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		return fail(l, "/proc/sys stays writable in it");
	if (statvfs("/usr", &fs) != 0 || !(fs.f_flag & ST_RDONLY))
		return fail(l, "/usr stays writable in it");
	if (getpid() != 1)
		return fail(l, "it has no pid namespace");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return fail(l, "it allows new privileges");
	say(l, LAUNCH_ENDED);
	return 0;
}

/* For the user, in the action's own stderr. */
static int not_started(const char *command, const char *why, int code)
{
	(void)dprintf(2, "remex: %s: %s\n", command, why);
	return code;
}

static int start(pid_t *pid, const char *path, struct launch *l)
{
	posix_spawnattr_t attr;
	sigset_t set;
	int e;

	/* A session of its own: no terminal, and kill(0) of the action does not reach us. */
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	(void)sigemptyset(&set);
	(void)posix_spawnattr_setsigmask(&attr, &set);
	(void)sigfillset(&set);
	(void)posix_spawnattr_setsigdefault(&attr, &set);
	e = posix_spawn(pid, path, NULL, &attr, l->argv, l->env);
	(void)posix_spawnattr_destroy(&attr);
	return e;
}

static int why_not(const char *command, const char *path, int e)
{
	if (e == ENOENT && access(path, F_OK) == 0)
		return not_started(command, "the interpreter it names is not there", 127);
	if (e == ENOENT || e == ENOTDIR)
		return not_started(command, "command not found", 127);
	return not_started(command, strerror(e), 126);
}

/* REAPI rule 135: absolute; with a separator, relative to the working directory; else by PATH of
 * the command's environment. 0, or the exit code that stands for "could not be started". */
static int start_command(struct launch *l, pid_t *pid)
{
	const char *command = l->argv[0], *path = l->search_path, *p;
	char full[4096 + 256], *given = l->argv[0];
	bool has_path = false;
	size_t i;
	int e, denied = 0;

	if (!*command)
		return not_started("''", "command not found", 127);
	if (strchr(command, '/')) {
		e = start(pid, command, l);
		return e ? why_not(command, command, e) : 0;
	}
	for (i = 0; l->env[i]; i++)
		if (strncmp(l->env[i], "PATH=", 5) == 0) {
			path = l->env[i] + 5;
			has_path = true;
		}
	for (p = path;; p++) {
		size_t n = strcspn(p, ":");
		int len = snprintf(full, sizeof(full), "%.*s%s%s", (int)n, p, n ? "/" : "./",
				   command);

		if (n < 4096 && len > 0 && (size_t)len < sizeof(full)) {
			/* Without PATH a program cannot look up its own name, as gcc does to find
			 * cc1: it gets the place where it was found. */
			l->argv[0] = has_path ? given : full;
			e = start(pid, full, l);
			if (!e)
				return 0;
			if (e == ENOENT && access(full, F_OK) == 0)
				return why_not(command, full, e);
			if (e != ENOENT && e != ENOTDIR && e != EACCES)
				return not_started(command, strerror(e), 126);
			if (e == EACCES)
				denied = e;
		}
		p += n;
		if (!*p)
			break;
	}
	return why_not(command, "", denied ? denied : ENOENT);
}

/* Takes what has ended; true when the command has. */
static bool reap(pid_t command, int *status)
{
	int s;
	pid_t pid;

	while ((pid = wait4(-1, &s, WNOHANG, NULL)) > 0 || (pid < 0 && errno == EINTR))
		if (pid == command) {
			*status = s;
			return true;
		}
	return false;
}

/* As process 1 we also get what the command left behind; when it ends we end, and the kernel with
 * us everything else in the namespace.
 *
 * So do we when nobody reads our reports any more. PR_SET_PDEATHSIG does not always tell:
 * bubblewrap run by root has no right to send a signal to the user we have become. */
static int await(pid_t command)
{
	struct signalfd_siginfo info;
	struct pollfd p[2] = { { .events = POLLIN }, { .fd = LAUNCH_FD_REPORT } };
	sigset_t child;
	int status = 0;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	p[0].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	while (!reap(command, &status)) {
		if (poll(p, 2, p[0].fd < 0 ? 10 : -1) > 0 && p[1].revents) {
			(void)kill(-command, SIGKILL); /* without a namespace */
			_exit(1);
		}
		while (read(p[0].fd, &info, sizeof(info)) > 0)
			;
	}
	return status;
}

int launch_run(void)
{
	struct launch l = { 0 };
	struct rusage ru;
	sigset_t none;
	pid_t pid = 0;
	int code;

	if (!read_job(&l))
		return fail(&l, "the job is malformed");
	if ((l.job->flags & LAUNCH_DROP) && !drop_rights(l.job->uid, l.job->gid))
		return fail(&l, "giving up root inside the sandbox: %s", strerror(errno));
	/* Changing the user cleared the first; whoever has the same user must not trace us. */
	if ((l.job->flags & LAUNCH_INIT) && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return fail(&l, "prctl: %s", strerror(errno));
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail(&l, "prctl: %s", strerror(errno));
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	set_surroundings();
	if (!set_descriptors())
		return fail(&l, "setting up descriptors: %s", strerror(errno));
	if (l.job->flags & LAUNCH_PROBE)
		return probe(&l);
	if (chdir(l.root) != 0)
		return fail(&l, "entering the execution root: %s", strerror(errno));
	if (*l.cwd && chdir(l.cwd) != 0)
		return fail(&l, "entering the working directory '%s': %s", l.cwd, strerror(errno));

	l.report.start_ns = wall_ns();
	say(&l, LAUNCH_STARTED);
	code = start_command(&l, &pid);
	l.report.status = code ? (code & 0xff) << 8 : await(pid);
	l.report.end_ns = wall_ns();
	if (getrusage(RUSAGE_CHILDREN, &ru) == 0) {
		l.report.user_us = (int64_t)ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec;
		l.report.system_us = (int64_t)ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
		l.report.max_rss_kib = ru.ru_maxrss;
	}
	say(&l, LAUNCH_ENDED);
	return 0;
}
