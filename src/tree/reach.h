/* reach: opens what a local path names, however long the path is, and within what an action wrote
 * without leaving it or being stopped by modes. */
#pragma once

#include "file.h"

/* Opens and stats. confined: openat2 beneath dirfd; what forbids its owner to read is changed
 * first (st has the mode as it was). -1: err says why. */
int reach_open(int dirfd, const char *path, int flags, bool confined, struct stat *st,
	       struct rx_err *err);
/* What is there, without opening it: a descriptor for *at calls with an empty path. */
RX_MUST_USE bool reach_stat(int dirfd, const char *path, bool follow, bool confined,
			    struct stat *st, int *fd_out, struct rx_err *err);
