/* file: the operating system's files without surprises: whole reads with limits, writes that appear
 * at once, paths that cannot leave their directory. All paths may be relative to dirfd (AT_FDCWD
 * allowed). Every descriptor opened here is close-on-exec. Interrupted calls are repeated. */
#pragma once

#include <sys/stat.h>

#include "err.h"

/* Whole content into out (appended; out->max is raised as far as needed). Fails with RX_ELIMIT past
 * max, RX_ENOENT when absent. */
RX_MUST_USE bool file_read(int dirfd, const char *path, size_t max, struct rx_buf *out,
			   struct rx_err *err);
RX_MUST_USE bool file_read_fd(int fd, size_t max, struct rx_buf *out, struct rx_err *err);
/* Writes beside and renames; the file has mode; nothing is left behind on failure. */
RX_MUST_USE bool file_write(int dirfd, const char *path, struct rx_view data, mode_t mode,
			    struct rx_err *err);
RX_MUST_USE bool file_write_fd(int fd, const void *p, size_t n, struct rx_err *err);
RX_MUST_USE bool file_pread(int fd, void *p, size_t n, int64_t offset, size_t *got,
			    struct rx_err *err);
/* Clones (reflink) or copies the rest of `from` to `to`: size bytes (fewer is an error), or all
 * there is when size is negative. cloned may be NULL. */
RX_MUST_USE bool file_copy_fd(int from, int to, int64_t size, bool *cloned, struct rx_err *err);
/* Opens path without ever leaving dirfd: "..", absolute paths and symlinks that lead out fail
 * (openat2 RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS). flags as open(2). Returns -1 on failure. */
int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct rx_err *err);
/* Like it, and no symlink anywhere in the path is followed (RESOLVE_NO_SYMLINKS). */
int file_open_nolinks(int dirfd, const char *path, int flags, mode_t mode, struct rx_err *err);
/* mkdir -p below dirfd, refusing symlinks as parents when confined; existing directories are fine.
 */
RX_MUST_USE bool file_mkdirs(int dirfd, const char *path, mode_t mode, bool confined,
			     struct rx_err *err);
/* Removes a tree that this program made (a scratch directory), never following links. Absent is
 * fine. Makes unwritable directories writable first. */
RX_MUST_USE bool file_remove_tree(int dirfd, const char *path, struct rx_err *err);
/* A fresh private directory "<parent>/<prefix>XXXXXX"; path_out is the caller's to free. */
RX_MUST_USE bool file_temp_dir(const char *parent, const char *prefix, char **path_out,
			       struct rx_err *err);
void file_close(int *fd); /* for RX_CLEANUP(file_close) int fd = -1; */

/* Pure path work on '/'-separated text; results are the caller's to free. */
bool path_is_relative_clean(
	const char *path); /* not empty, no leading or trailing or double '/', no "." or ".." */
/* Removes "." and "x/.."; NULL when it would climb above its start. "" for the start itself. */
char *path_normalize(const char *path);
char *path_join(const char *a, const char *b);
/* Where a path seen from dir (itself clean, or "") is, seen from dir's own start. Clean but for
 * leading ".." parts, which may not climb above that start; else NULL. */
char *path_below(const char *dir, const char *path);
