/* file: reading, writing, copying and opening files; paths as text. Removing trees is in
 * filetree.c. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "utf8.h"

#define COPY_CHUNK 131072u
#define TRIES      64 /* of names or of opens that raced with a rename */

void file_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

static int open_retrying(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dirfd, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* One byte more than max is asked for, so that a file that grows past it is noticed. */
bool file_read_fd(int fd, size_t max, struct rx_buf *out, struct rx_err *err)
{
	size_t start = out->n, got = 0;
	struct stat st;
	size_t want = 4096;

	max = RX_MIN(max, RX_BUF_NO_MAX);
	if (out->max < start + max + 1)
		out->max = start + max + 1;
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		want = RX_MIN((size_t)st.st_size, max) + 1;
	for (;;) {
		want = RX_MIN(want, max + 1 - got);
		char *at = rx_buf_reserve(out, want);
		if (!at) {
			out->n = start;
			return rx_fail(err, RX_ELIMIT, "no room for %zu bytes", want);
		}
		ssize_t n = read(fd, at, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rx_fail_errno(err, "reading");
			break;
		}
		if (n == 0)
			return true;
		rx_buf_grew(out, (size_t)n);
		got += (size_t)n;
		if (got > max) {
			rx_fail(err, RX_ELIMIT, "larger than the limit of %zu bytes", max);
			break;
		}
		want = RX_MAX((size_t)4096, got);
	}
	out->n = start;
	if (out->p)
		out->p[start] = '\0';
	return false;
}

bool file_read(int dirfd, const char *path, size_t max, struct rx_buf *out, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = open_retrying(dirfd, path, O_RDONLY | O_NOCTTY, 0);

	if (fd < 0)
		return rx_fail_errno(err, "%s", path);
	if (!file_read_fd(fd, max, out, err))
		return rx_wrap(err, "%s", path);
	return true;
}

bool file_write_fd(int fd, const void *p, size_t n, struct rx_err *err)
{
	const char *at = p;

	while (n) {
		ssize_t done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return rx_fail_errno(err, "writing");
		at += done;
		n -= (size_t)done;
	}
	return true;
}

bool file_pread(int fd, void *p, size_t n, int64_t offset, size_t *got, struct rx_err *err)
{
	size_t total = 0;

	while (total < n) {
		ssize_t done = pread(fd, (char *)p + total, n - total, offset + (int64_t)total);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return rx_fail_errno(err, "reading at byte %" PRId64,
					     offset + (int64_t)total);
		if (done == 0)
			break;
		total += (size_t)done;
	}
	*got = total;
	return true;
}

/* A fresh file beside `path` (same directory, hidden name), to be renamed over it; name_out is the
 * caller's. */
static int file_temp_beside(int dirfd, const char *path, mode_t mode, char **name_out,
			    struct rx_err *err)
{
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash - path + 1) : 0;
	RX_CLEANUP(xfreep) char *name = NULL;
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0; i++) {
		xfreep(&name);
		name = xasprintf("%.*s.remex-%016" PRIx64, dir_len, path, random_u64());
		fd = open_retrying(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0) {
		rx_fail_errno(err, "cannot create a file beside '%s'", path);
		return -1;
	}
	/* fchmod, for the umask must not decide. */
	if (fchmod(fd, mode) < 0) {
		rx_fail_errno(err, "cannot set the mode of '%s'", name);
		(void)unlinkat(dirfd, name, 0);
		file_close(&fd);
		return -1;
	}
	*name_out = name;
	name = NULL;
	return fd;
}

bool file_write(int dirfd, const char *path, struct rx_view data, mode_t mode, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *temp = NULL;
	RX_CLEANUP(file_close) int fd = file_temp_beside(dirfd, path, mode, &temp, err);

	if (fd < 0)
		return false;
	bool ok = file_write_fd(fd, data.p, data.n, err);
	if (ok && renameat(dirfd, temp, dirfd, path) < 0)
		ok = rx_fail_errno(err, "cannot rename onto it");
	if (ok)
		return true;
	(void)unlinkat(dirfd, temp, 0);
	return rx_wrap(err, "%s", path);
}

/* A clone takes the whole file, so both must stand at their beginnings. */
static bool try_clone(int from, int to, int64_t size)
{
	struct stat st;

	if (lseek(from, 0, SEEK_CUR) != 0 || lseek(to, 0, SEEK_CUR) != 0)
		return false;
	if (fstat(to, &st) < 0 || st.st_size != 0 || ioctl(to, FICLONE, from) < 0)
		return false;
	if (fstat(to, &st) == 0 && (size < 0 || st.st_size >= size)) {
		if ((size < 0 || st.st_size == size || ftruncate(to, size) == 0) &&
		    lseek(to, 0, SEEK_END) >= 0)
			return true;
	}
	/* The clone was shorter than it should be: the copy says by how much. */
	int ignored = ftruncate(to, 0);

	(void)ignored;
	return false;
}

/* Moves as much as the kernel copies by itself; done tells how much. */
static bool kernel_copy(int from, int to, int64_t size, int64_t *done, struct rx_err *err)
{
	while (size < 0 || *done < size) {
		size_t want = size < 0 ? (size_t)1 << 30 : RX_MIN((size_t)(size - *done), 1u << 30);
		ssize_t n = copy_file_range(from, NULL, to, NULL, want, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO))
			return rx_fail_errno(err, "copying");
		/* Everything else means "not between these two": files of /proc say 0. */
		if (n <= 0)
			break;
		*done += n;
	}
	return true;
}

static bool plain_copy(int from, int to, int64_t size, int64_t *done, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *chunk = NULL;

	while (size < 0 || *done < size) {
		if (!chunk)
			chunk = xmalloc(COPY_CHUNK);
		size_t want = size < 0 ? COPY_CHUNK : RX_MIN((size_t)(size - *done), COPY_CHUNK);
		ssize_t n = read(from, chunk, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rx_fail_errno(err, "reading");
		if (n == 0)
			break;
		if (!file_write_fd(to, chunk, (size_t)n, err))
			return false;
		*done += n;
	}
	return true;
}

bool file_copy_fd(int from, int to, int64_t size, bool *cloned, struct rx_err *err)
{
	int64_t done = 0;
	bool clone = try_clone(from, to, size);

	if (!clone) {
		if (!kernel_copy(from, to, size, &done, err) ||
		    !plain_copy(from, to, size, &done, err))
			return false;
		if (size >= 0 && done < size)
			return rx_fail(err, RX_EIO,
				       "the file ended after %" PRId64 " of %" PRId64
				       " bytes: did it change meanwhile?",
				       done, size);
	}
	if (cloned)
		*cloned = clone;
	return true;
}

static int open_resolving(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve,
			  struct rx_err *err)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
				.resolve = resolve };
	long fd;

	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode & 07777;
	/* EAGAIN: something on the way was renamed meanwhile. */
	int tries = 0;
	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < TRIES)));
	if (fd >= 0)
		return (int)fd;
	if (errno == EXDEV)
		rx_fail(err, RX_EUSAGE, "'%s' leads out of its directory", path);
	else if (errno == ELOOP)
		rx_fail_errno(err, "'%s' has a symbolic link in it", path);
	else if (errno == ENOSYS)
		rx_fail_errno(err, "opening '%s' needs openat2 (Linux 5.6)", path);
	else
		rx_fail_errno(err, "%s", path);
	return -1;
}

int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct rx_err *err)
{
	return open_resolving(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
			      err);
}

int file_open_nolinks(int dirfd, const char *path, int flags, mode_t mode, struct rx_err *err)
{
	return open_resolving(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, err);
}

static bool mkdirs_anywhere(int dirfd, const char *path, mode_t mode, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *part = xstrdup(path);
	struct stat st;

	for (char *at = part;; at++) {
		if (*at && (*at != '/' || at == part))
			continue;
		char end = *at;
		*at = '\0';
		int why = mkdirat(dirfd, part, mode) < 0 ? errno : 0;
		/* Directories that are there may answer EROFS or EACCES just as well. */
		if (why && (fstatat(dirfd, part, &st, 0) < 0 || !S_ISDIR(st.st_mode))) {
			errno = why == EEXIST ? ENOTDIR : why;
			return rx_fail_errno(err, "cannot make directory '%s'", part);
		}
		*at = end;
		if (!end)
			return true;
	}
}

static bool mkdirs_confined(int dirfd, const char *path, mode_t mode, struct rx_err *err)
{
	RX_CLEANUP(file_close) int at = -1;
	const char *rest = path;

	if (!path_is_relative_clean(path))
		return rx_fail(err, RX_EUSAGE,
			       "cannot make directory '%s': the path is not a clean relative one",
			       path);
	while (*rest) {
		size_t len = strcspn(rest, "/");
		RX_CLEANUP(xfreep) char *name = xstrndup(rest, len);
		int from = at < 0 ? dirfd : at;
		int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
		int next = open_retrying(from, name, flags, 0);
		if (next < 0 && errno == ENOENT) {
			if (mkdirat(from, name, mode) < 0 && errno != EEXIST)
				return rx_fail_errno(err, "cannot make directory '%s'", path);
			next = open_retrying(from, name, flags, 0);
		}
		if (next < 0)
			return rx_fail_errno(err,
					     "cannot make directory '%s': '%.*s' is in the way",
					     path, (int)(rest - path + (ptrdiff_t)len), path);
		file_close(&at);
		at = next;
		rest += len;
		rest += *rest == '/';
	}
	return true;
}

bool file_mkdirs(int dirfd, const char *path, mode_t mode, bool confined, struct rx_err *err)
{
	if (confined)
		return mkdirs_confined(dirfd, path, mode, err);
	return mkdirs_anywhere(dirfd, path, mode, err);
}

bool file_temp_dir(const char *parent, const char *prefix, char **path_out, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *base = path_join(parent, prefix);
	char *path = xasprintf("%sXXXXXX", base);

	if (!mkdtemp(path)) {
		rx_fail_errno(err, "cannot make a temporary directory in '%s'", parent);
		free(path);
		return false;
	}
	*path_out = path;
	return true;
}

bool path_is_relative_clean(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

char *path_normalize(const char *path)
{
	char *out = xmalloc(strlen(path) + 1);
	size_t root = path[0] == '/', n = 0;

	if (root)
		out[n++] = '/';
	while (*path) {
		size_t len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			if (n == root) {
				free(out);
				return NULL;
			}
			while (n > root && out[n - 1] != '/')
				n--;
			if (n > root)
				n--; /* the '/' before */
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			if (n > root)
				out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
		path += *path == '/';
	}
	out[n] = '\0';
	return out;
}

char *path_below(const char *dir, const char *path)
{
	RX_CLEANUP(xfreep) char *joined = path_join(dir, path);
	const char *rest = path;

	while (strncmp(rest, "../", 3) == 0)
		rest += 3;
	return path_is_relative_clean(rest) ? path_normalize(joined) : NULL;
}

char *path_join(const char *a, const char *b)
{
	size_t n = strlen(a);

	if (n == 0 || b[0] == '/')
		return xstrdup(b);
	if (!b[0])
		return xstrdup(a);
	return xasprintf("%s%s%s", a, a[n - 1] == '/' ? "" : "/", b);
}
