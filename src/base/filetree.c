/* filetree: removes directory trees of any depth with few descriptors and without following links.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "utf8.h"

/* Below this depth a directory is moved up to the top one first: what an action leaves behind may
 * be deeper than there are descriptors or stack. */
#define DEPTH_MAX 32

struct removal {
	int top;    /* descriptor of the uppermost directory */
	bool moved; /* something came back to the top: look again */
	struct rx_err *err;
};

static void dir_close(DIR **d)
{
	if (*d)
		(void)closedir(*d);
	*d = NULL;
}

/* When it fails, what comes next fails too and says why. */
static void make_ours(int parent, const char *name)
{
	int ignored = fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW);

	(void)ignored;
}

/* A directory that forbids it to us is made ours first. */
static DIR *open_dir(int parent, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	    (st.st_mode & 0700) != 0700)
		make_ours(parent, name);
	int fd = openat(parent, name, flags);
	if (fd < 0)
		return NULL;
	DIR *d = fdopendir(fd);
	if (!d)
		file_close(&fd);
	return d;
}

static bool remove_entry(struct removal *r, int parent, const char *name, unsigned depth);

static bool remove_content(struct removal *r, DIR *d, unsigned depth)
{
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(d);
		if (!e && errno)
			return rx_fail_errno(r->err, "listing a directory");
		if (!e)
			return true;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (!remove_entry(r, dirfd(d), e->d_name, depth))
			return rx_wrap(r->err, "%s", e->d_name);
	}
}

static bool move_up(struct removal *r, int parent, const char *name)
{
	char fresh[32];

	(void)snprintf(fresh, sizeof(fresh), ".remex-%016" PRIx64, random_u64());
	/* Moving a directory rewrites its "..". */
	make_ours(parent, name);
	if (renameat(parent, name, r->top, fresh) < 0)
		return rx_fail_errno(r->err, "cannot move a deep directory up");
	r->moved = true;
	return true;
}

static bool remove_entry(struct removal *r, int parent, const char *name, unsigned depth)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return rx_fail_errno(r->err, "cannot remove it");
	/* Whatever is mounted there is not ours to empty: that says EBUSY. */
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return rx_fail_errno(r->err, "cannot remove it");
	if (depth >= DEPTH_MAX)
		return move_up(r, parent, name);
	RX_CLEANUP(dir_close) DIR *d = open_dir(parent, name);
	if (!d)
		return rx_fail_errno(r->err, "cannot open it");
	if (!remove_content(r, d, depth + 1))
		return false;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return rx_fail_errno(r->err, "cannot remove it");
	return true;
}

bool file_remove_tree(int at, const char *path, struct rx_err *err)
{
	struct removal r = { .err = err };

	if (unlinkat(at, path, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return rx_fail_errno(err, "cannot remove '%s'", path);
	if (unlinkat(at, path, AT_REMOVEDIR) == 0)
		return true;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return rx_fail_errno(err, "cannot remove '%s'", path);
	RX_CLEANUP(dir_close) DIR *d = open_dir(at, path);
	if (!d)
		return rx_fail_errno(err, "cannot remove '%s'", path);
	r.top = dirfd(d);
	do {
		r.moved = false;
		rewinddir(d);
		if (!remove_content(&r, d, 1))
			return rx_wrap(err, "cannot remove '%s'", path);
	} while (r.moved);
	if (unlinkat(at, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return rx_fail_errno(err, "cannot remove '%s'", path);
	return true;
}
