/* scratch: private directories of a process, removed when it ends; when it was killed, whoever
 * sweeps next removes them.
 *
 * A scratch directory is locked (flock) by its process alone: what is unlocked belongs to nobody
 * any more. */
#pragma once

#include "err.h"

struct scratch {
	char *path; /* NULL: none */
	int lock;
};
/* "<parent>/<prefix>XXXXXX", mode 0700. */
RX_MUST_USE bool scratch_open(struct scratch *out, const char *parent, const char *prefix,
			      struct rx_err *err);
/* Removes it with all there is in it. False: something is left behind, the next sweep tries again;
 * it is closed all the same. */
RX_MUST_USE bool scratch_close(struct scratch *s, struct rx_err *err);
/* Removes the directories of that prefix, six more characters and mode 0700 that nobody holds and
 * that are ours, entry by entry until
 * *stop (may be NULL; read atomically). False when one of them could not be removed entirely, as
 * when a process of it is just dying. */
bool scratch_sweep(const char *parent, const char *prefix, const volatile bool *stop);
