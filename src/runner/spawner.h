/* spawner: the process that starts actions, and what it and the runner say to each other.
 *
 * The runner sends one spawner_request a job over a SOCK_SEQPACKET pair, with four descriptors. The
 * spawner forks a keeper for it (keeper.h) and forgets it; the keeper answers with one
 * spawner_reply over the job's own pair. Closing one's end of a job's pair, or dying, means: kill
 * it. Closing the spawner's socket means: kill everything. */
#pragma once

#include "sandbox.h"

enum spawner_fd { SPAWNER_FD_REPLY, SPAWNER_FD_JOB, SPAWNER_FD_OUT, SPAWNER_FD_ERR, SPAWNER_FDS };

struct spawner_request {
	int32_t variant; /* enum sandbox_variant */
	bool has_root;
	int64_t timeout_ms, output_limit; /* 0 = none */
};
struct spawner_reply {
	bool ok;        /* false: `text` says why the job could not be run */
	int32_t how;    /* enum runner_end */
	int32_t status; /* as wait(2) says */
	int64_t start_ns, end_ns, user_us, system_us, max_rss_kib;
	char text[1024];
};

/* The life of the spawner process; never returns. Keeps no descriptor but sock. */
RX_NORETURN void spawner_main(int sock);
