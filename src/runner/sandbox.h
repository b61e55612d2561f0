/* sandbox: what an action sees of this machine, as bubblewrap's arguments.
 *
 * Inside: /usr read-only with the links that lead to it, /etc/alternatives, the linker's cache and
 * a few generated files in /etc, /proc of its own, a minimal /dev, a fresh /tmp, a network without
 * anybody in it, and the execution root, writable, at SANDBOX_ROOT, so that results do not depend
 * on where it lies on the host. No home directories, no /run, no /sys, no /opt, no /etc/localtime
 * (the time zone is UTC). The user is SANDBOX_UID in every variant. */
#pragma once

#include "err.h"

#define SANDBOX_ROOT "/remex/root"
#define SANDBOX_UID  65534u
#define SANDBOX_GID  65534u
/* Part of the name space of results: raise it when an action could see the difference. */
#define SANDBOX_LAYOUT 1

/* In the order in which they are tried; the reasons are in sandbox.c. */
enum sandbox_variant {
	SANDBOX_NONE,
	SANDBOX_ROOT_DROPS,  /* root: mounts as root, then becomes SANDBOX_UID */
	SANDBOX_USER_LOCKED, /* user namespace, no further ones inside */
	SANDBOX_USER,        /* user namespace */
	SANDBOX_VARIANTS
};
/* Those worth a try for this user, ended by SANDBOX_NONE. */
const enum sandbox_variant *sandbox_candidates(bool is_root);
unsigned sandbox_launch_flags(enum sandbox_variant v); /* enum launch_flag */

/* What stays the same from job to job. */
struct sandbox {
	char *bwrap;     /* its path; NULL when it is not installed */
	int launch_fd;   /* the launcher program as a memory file */
	int files_fd[3]; /* generated files of /etc: passwd, group, nsswitch.conf */
};
/* Fails only when the system has no memory files. */
RX_MUST_USE bool sandbox_init(struct sandbox *s, struct rx_err *err);

/* In the child that becomes bubblewrap: puts everything in its place and executes it. fds are those
 * of launch.h, in their order; says (by errno) only that it failed. root NULL: none is mounted. */
void sandbox_exec(const struct sandbox *s, enum sandbox_variant v, const char *root,
		  const int fds[4], int say_fd);
