/* sandbox: see sandbox.h.
 *
 * How root runs actions. bubblewrap started by root keeps capabilities, and without them the
 * process still is the kernel's root: sysctl files, for one, ask for the user and not for a
 * capability. So an action never runs as root. Two ways were weighed: to become an unprivileged
 * user first and let bubblewrap use a user namespace, or to let bubblewrap mount as root and change
 * the user at the very last. The second wins: it needs no user namespace (off in many containers
 * and on hardened hosts), and the execution root may lie below directories that only root may
 * enter, such as /root. Between the two there is only our launcher, which takes nothing from the
 * action before it changed user. Ordinary users get a user namespace, with further ones forbidden
 * where bubblewrap can do that (a smaller kernel to attack). Root without CAP_SYS_ADMIN (most
 * containers) comes last, with the user-namespace variants and /proc/sys read-only. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "launch.h"
#include "launch_image.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { FD_PROGRAM = LAUNCH_FD_N, FD_FILES, FD_LD_CACHE = FD_FILES + 3, FD_LD_CONF, FD_FREE };

static const struct {
	const char *path, *text;
} ETC[] = {
	{ "/etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\n"
			 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "/etc/group", "root:x:0:\nnogroup:x:65534:\n" },
	{ "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
};

const enum sandbox_variant *sandbox_candidates(bool is_root)
{
	static const enum sandbox_variant root[] = { SANDBOX_ROOT_DROPS, SANDBOX_USER_LOCKED,
						     SANDBOX_USER, SANDBOX_NONE };

	return is_root ? root : root + 1;
}

unsigned sandbox_launch_flags(enum sandbox_variant v)
{
	switch (v) {
	case SANDBOX_ROOT_DROPS:
		return LAUNCH_INIT | LAUNCH_DROP;
	case SANDBOX_USER_LOCKED:
	case SANDBOX_USER:
		return LAUNCH_INIT;
	default:
		return 0;
	}
}

/* A memory file with these bytes that nobody can change any more. */
static int sealed(const char *name, unsigned flags, struct rx_view bytes, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	int out;

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 there is no MFD_EXEC */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		(void)rx_fail_errno(err, "creating a memory file");
		return -1;
	}
	if (!file_write_fd(fd, bytes.p, bytes.n, err))
		return -1;
	if (fchmod(fd, 0555) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
		(void)rx_fail_errno(err, "sealing a memory file");
		return -1;
	}
	out = fd;
	fd = -1;
	return out;
}

/* Absolute entries of PATH only: a relative one would pick what lies in the current directory. */
static char *find_bwrap(void)
{
	const char *path = getenv("PATH"), *p;

	for (p = path && *path ? path : "/usr/bin:/bin:/usr/local/bin";; p++) {
		size_t n = strcspn(p, ":");

		if (n && *p == '/') {
			char *full = xasprintf("%.*s/bwrap", (int)n, p);

			if (access(full, X_OK) == 0)
				return full;
			free(full);
		}
		p += n;
		if (!*p)
			return NULL;
	}
}

bool sandbox_init(struct sandbox *s, struct rx_err *err)
{
	s->bwrap = find_bwrap();
	s->launch_fd = sealed("remex-launch", MFD_EXEC, launch_image(), err);
	if (s->launch_fd < 0)
		return false;
	for (size_t i = 0; i < RX_COUNT(ETC); i++) {
		s->files_fd[i] = sealed("etc", 0, rx_view_str(ETC[i].text), err);
		if (s->files_fd[i] < 0)
			return false;
	}
	return true;
}

struct args {
	const char **v;
	size_t n, cap;
};

static void add(struct args *a, const char *s)
{
	RX_GROW(a->v, a->n, a->cap);
	a->v[a->n++] = s;
}

#define ADD(a, ...)                                                                                \
	do {                                                                                       \
		const char *const add_[] = { __VA_ARGS__ };                                        \
		for (size_t i_ = 0; i_ < RX_COUNT(add_); i_++)                                     \
			add((a), add_[i_]);                                                        \
	} while (0)

/* /bin and its like are links into /usr on merged systems and directories on others. */
static void add_top_level(struct args *a)
{
	static const char *const names[] = {
		"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"
	};

	for (size_t i = 0; i < RX_COUNT(names); i++) {
		struct stat st;
		char target[256];
		ssize_t n;

		if (lstat(names[i], &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			ADD(a, "--ro-bind", names[i], names[i]);
			continue;
		}
		n = readlink(names[i], target, sizeof(target));
		if (n > 0 && (size_t)n < sizeof(target))
			ADD(a, "--symlink", xstrndup(target, (size_t)n), names[i]);
	}
}

/* A file copied into the sandbox's own root: no mount, which is what takes bubblewrap's time. The
 * descriptor is opened anew, because bubblewrap reads it to its end. */
static void add_file(struct args *a, const char *from, int to_fd, const char *path)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fd == to_fd) {
		(void)fcntl(fd, F_SETFD, 0);
	} else {
		(void)dup2(fd, to_fd);
		(void)close(fd);
	}
	ADD(a, "--perms", "0444", "--file", xasprintf("%d", to_fd), path);
}

static void add_etc(struct args *a, const struct sandbox *s)
{
	/* Debian's Java does not start without the files its directory links to. */
	static const char *const dirs[] = { "/etc/alternatives", "/etc/java-11-openjdk",
					    "/etc/java-17-openjdk", "/etc/java-21-openjdk" };

	for (size_t i = 0; i < RX_COUNT(ETC); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->files_fd[i]);
		add_file(a, path, FD_FILES + (int)i, ETC[i].path);
	}
	add_file(a, "/etc/ld.so.cache", FD_LD_CACHE, "/etc/ld.so.cache");
	for (size_t i = 0; i < RX_COUNT(dirs); i++)
		if (access(dirs[i], F_OK) == 0)
			ADD(a, "--ro-bind", dirs[i], dirs[i]);
	if (access("/etc/ld.so.conf.d", F_OK) == 0) {
		add_file(a, "/etc/ld.so.conf", FD_LD_CONF, "/etc/ld.so.conf");
		ADD(a, "--ro-bind", "/etc/ld.so.conf.d", "/etc/ld.so.conf.d");
	}
	ADD(a, "--symlink", "../usr/lib/os-release", "/etc/os-release");
}

static void add_variant(struct args *a, enum sandbox_variant v)
{
	if (v == SANDBOX_ROOT_DROPS) {
		/* What the launcher needs to give up the rest. */
		ADD(a, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
		    "--cap-add", "CAP_SETPCAP");
		return;
	}
	ADD(a, "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL");
	if (v == SANDBOX_USER_LOCKED)
		ADD(a, "--disable-userns");
	/* The action would still be the kernel's root, to whom old files of /proc open. */
	if (geteuid() == 0)
		ADD(a, "--remount-ro", "/proc");
}

static void build(struct args *a, const struct sandbox *s, enum sandbox_variant v, const char *root)
{
	ADD(a, s->bwrap, "--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts",
	    "--unshare-net", "--unshare-cgroup-try", "--die-with-parent", "--new-session",
	    "--hostname", "remex");
	/* Parents that bubblewrap makes by itself are closed to others, which we may be by then. */
	ADD(a, "--dir", "/remex", "--dir", "/etc", "--dir", "/var", "--ro-bind", "/usr", "/usr");
	add_top_level(a);
	add_etc(a, s);
	/* Some settings belong to the namespaces of the action and could be changed. */
	ADD(a, "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys");
	ADD(a, "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev");
	ADD(a, "--perms", "1777", "--tmpfs", "/tmp", "--symlink", "../tmp", "/var/tmp");
	if (root)
		ADD(a, "--bind", root, SANDBOX_ROOT);
	add_variant(a, v); /* behind --proc */
	ADD(a, "--remount-ro", "/");
	ADD(a, "--", "/proc/self/fd/7", NULL);
}

void sandbox_exec(const struct sandbox *s, enum sandbox_variant v, const char *root,
		  const int fds[4], int say_fd)
{
	static char *const empty[] = { NULL };
	struct args a = { 0 };
	int moved[RX_COUNT(ETC) + 5], null;
	struct sandbox high = *s;

	/* Out of the way first: what we hold may have the very numbers the launcher expects. */
	for (int i = 0; i < 4; i++)
		moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
	moved[4] = fcntl(s->launch_fd, F_DUPFD_CLOEXEC, 64);
	for (size_t i = 0; i < RX_COUNT(ETC); i++)
		high.files_fd[i] = fcntl(s->files_fd[i], F_DUPFD_CLOEXEC, 64);
	say_fd = fcntl(say_fd, F_DUPFD_CLOEXEC, 64);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	null = fcntl(null, F_DUPFD_CLOEXEC, 64);
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(say_fd, 2) < 0)
		return;
	for (int i = 0; i < 5; i++)
		if (dup2(moved[i], LAUNCH_FD_JOB + i) < 0)
			return;
	(void)close_range(FD_FILES, 63, 0);
	build(&a, &high, v, root);
	/* bubblewrap sees nothing of the action: not its environment, not its arguments. */
	(void)execve(s->bwrap, (char *const *)a.v, empty);
}

_Static_assert(FD_PROGRAM == 7, "the path of the launcher program above");
_Static_assert(FD_FREE < 64, "fixed descriptors stay below those moved away");
