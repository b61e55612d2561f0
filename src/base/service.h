/* service: background processes of ours that start on demand: one lock, one socket, one log, one
 * version. Used by the embedded server and, later, the wrapper's daemon.
 *
 * A service lives in a private directory (0700, owned by us): `lock` (held with flock for its whole
 * life), `socket`, `log`, `version`. Clients call service_ensure; the service calls service_claim
 * before it binds (gRPC would silently take over a live socket) and service_ready once it listens.
 */
#pragma once

#include "err.h"

struct service_paths {
	char *dir, *lock, *socket, *log, *version;
};
/* dir is created when absent; one that is not ours, or open to others, is refused; a socket path
 * over 107 bytes too. */
RX_MUST_USE bool service_paths_init(struct service_paths *p, const char *dir, struct rx_err *err);
void service_paths_release(struct service_paths *p);

struct service_spawn {
	const char *const *argv; /* argv[0] is the program's path; NULL-terminated */
	int64_t wait_ms;         /* for readiness */
	const char *build_id; /* a running service of another build is asked to leave (SIGTERM) and
				 replaced */
	struct rx_buf *said;  /* what a service that was started has to tell; may be NULL */
};
/* Makes sure the service runs and accepts connections. started_out says whether this call started
 * it. Race-free among processes. The child gets none of our descriptors (make's jobserver and
 * $(...) never wait for it), its own session,
 * "/" as working directory, default signals. Must be called before grpc_init in this process. */
RX_MUST_USE bool service_ensure(const struct service_paths *p, const struct service_spawn *how,
				bool *started_out, struct rx_err *err);
/* In the service: takes the lock (RX_EEXIST when another holds it), removes a stale socket, writes
 * pid and build id. The lock is held until the process ends; returns its descriptor in lock_out. A
 * process forked from it holds the lock too until it closes lock_out or executes something. */
RX_MUST_USE bool service_claim(const struct service_paths *p, const char *build_id, int *lock_out,
			       struct rx_err *err);
/* In the service: tells a waiting service_ensure (through the descriptor it passed in
 * REMEX_READY_FD) that it listens, and what else there is to tell (may be NULL; a line at most). */
void service_ready(const char *note);
#define SERVICE_NOTE_MAX 1000
/* When a process started, in the kernel's ticks: with the pid it names a process for good. */
RX_MUST_USE bool service_start_time(int64_t pid, uint64_t *out);
/* True when somebody accepts connections on the unix socket. */
bool service_alive(const char *socket_path);
