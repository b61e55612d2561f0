/* reach: long paths go in pieces; modes are repaired only after they stopped us. */
#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "utf8.h"

static bool fail(struct rx_err *err, const char *path)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf safe = { 0 };
	int e = errno;

	utf8_add_safe(&safe, path, strlen(path), 1024);
	errno = e;
	return rx_fail_errno(err, "'%s'", rx_buf_str(&safe));
}

static int open_piece(int dirfd, const char *path, int flags, bool confined, struct rx_err *err)
{
	int fd;

	if (confined)
		return file_open_beneath(dirfd, path, flags, 0, err);
	do
		fd = openat(dirfd, path, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		fail(err, path);
	return fd;
}

static int open_path(int dirfd, const char *path, int flags, bool confined, struct rx_err *err)
{
	RX_CLEANUP(file_close) int at = -1;
	char piece[PATH_MAX];

	while (strlen(path) >= PATH_MAX) {
		size_t n = PATH_MAX - 1;
		int next;

		while (n && path[n] != '/')
			n--;
		if (n == 0) {
			errno = ENAMETOOLONG;
			fail(err, path);
			return -1;
		}
		memcpy(piece, path, n);
		piece[n] = 0;
		next = open_piece(at < 0 ? dirfd : at, piece, O_PATH | O_DIRECTORY, confined, err);
		if (next < 0)
			return -1;
		file_close(&at);
		at = next;
		for (path += n; *path == '/'; path++)
			;
	}
	return open_piece(at < 0 ? dirfd : at, path, flags, confined, err);
}

/* Lets us read one thing that an action left; false: it is not ours, or not there. */
static bool allow(int dirfd, const char *path, bool last, mode_t *mode_out)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	RX_CLEANUP(file_close) int fd = -1;
	char proc[64];
	struct stat st;
	mode_t need;

	fd = open_path(dirfd, path, O_PATH | (last ? O_NOFOLLOW : 0), true, &ignored);
	if (fd < 0 || fstat(fd, &st) != 0)
		return false;
	*mode_out = st.st_mode;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return true;
	need = S_ISDIR(st.st_mode) ? S_IRWXU : S_IRUSR;
	if ((st.st_mode & need) == need)
		return true;
	/* The kernel has no fchmod for O_PATH; this name leads to just that file. */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return chmod(proc, (st.st_mode & 07777) | need) == 0;
}

static bool repair(int dirfd, const char *path, mode_t *mode_out)
{
	RX_CLEANUP(xfreep) char *p = xstrdup(path);

	for (char *slash = strchr(p, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (*p && !allow(dirfd, p, false, mode_out))
			return false;
		*slash = '/';
	}
	return allow(dirfd, p, true, mode_out);
}

int reach_open(int dirfd, const char *path, int flags, bool confined, struct stat *st,
	       struct rx_err *err)
{
	mode_t mode = 0;
	bool repaired = false;
	int fd = open_path(dirfd, path, flags, confined, err);

	if (fd < 0 && confined && err->sys_errno == EACCES && repair(dirfd, path, &mode)) {
		repaired = true;
		rx_err_reset(err);
		fd = open_path(dirfd, path, flags, confined, err);
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, st) != 0) {
		fail(err, path);
		close(fd);
		return -1;
	}
	if (repaired)
		st->st_mode = mode;
	return fd;
}

bool reach_stat(int dirfd, const char *path, bool follow, bool confined, struct stat *st,
		int *fd_out, struct rx_err *err)
{
	int fd = reach_open(dirfd, path, O_PATH | (follow ? 0 : O_NOFOLLOW), confined, st, err);

	if (fd < 0)
		return false;
	*fd_out = fd;
	return true;
}
