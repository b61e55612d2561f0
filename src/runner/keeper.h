/* keeper: one process per job, between the spawner and the action: the action's descendants become
 * its children when their parents die (subreaper), so it can end them all and knows when they are
 * gone. */
#pragma once

#include "spawner.h"

/* fds as in enum spawner_fd. Never returns. */
RX_NORETURN void keeper_main(const struct sandbox *s, const struct spawner_request *rq,
			     const int fds[SPAWNER_FDS]);
