/* scratch: see scratch.h. */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "file.h"

#define TRIES 64 /* of names that a sweep took before they were locked */

static void close_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
	*d = NULL;
}

/* Whoever locks it after it was removed has a directory without a name. */
static bool is_linked(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

bool scratch_open(struct scratch *out, const char *parent, const char *prefix, struct rx_err *err)
{
	for (int i = 0; i < TRIES; i++) {
		RX_CLEANUP(xfreep) char *path = NULL;

		if (!file_temp_dir(parent, prefix, &path, err))
			return false;
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

		if (locked && is_linked(fd)) {
			*out = (struct scratch){ .path = path, .lock = fd };
			path = NULL;
			return true;
		}
		/* Else a sweep took it for an old one. */
		if (!locked && errno != ENOENT && errno != EWOULDBLOCK) {
			rx_fail_errno(err, "%s", path);
			file_close(&fd);
			(void)rmdir(path);
			return false;
		}
		file_close(&fd);
	}
	return rx_fail(err, RX_EIO, "no directory '%s/%s...' stays: is something removing them?",
		       parent, prefix);
}

bool scratch_close(struct scratch *s, struct rx_err *err)
{
	if (!s->path)
		return true;
	bool ok = file_remove_tree(AT_FDCWD, s->path, err);

	file_close(&s->lock);
	free(s->path);
	*s = (struct scratch){ .lock = -1 };
	return ok;
}

static bool stopped(const volatile bool *stop)
{
	return stop && __atomic_load_n(stop, __ATOMIC_ACQUIRE);
}

/* One entry after the other, so that a sweep of gigabytes can be stopped. */
static bool empty(int fd, const volatile bool *stop)
{
	RX_CLEANUP(close_dir) DIR *d = NULL;
	bool all = true;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d) {
		file_close(&copy);
		return false;
	}
	for (struct dirent *e; !stopped(stop) && (e = readdir(d));) {
		RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };

		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			all = file_remove_tree(fd, e->d_name, &ignored) && all;
	}
	return all && !stopped(stop);
}

/* True when it is gone or not ours to remove. */
static bool sweep_one(int at, const char *name, const volatile bool *stop)
{
	RX_CLEANUP(file_close)
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
		return true;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return true;
	return empty(fd, stop) && (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

bool scratch_sweep(const char *parent, const char *prefix, const volatile bool *stop)
{
	RX_CLEANUP(close_dir) DIR *d = opendir(parent);
	size_t n = strlen(prefix);
	bool all = true;

	for (struct dirent *e; d && !stopped(stop) && (e = readdir(d));)
		if (strncmp(e->d_name, prefix, n) == 0 && strlen(e->d_name) == n + 6)
			all = sweep_one(dirfd(d), e->d_name, stop) && all;
	return all;
}
