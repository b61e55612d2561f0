/* crew: short-lived threads for work that waits for a server, so that no pool thread does: the pool
 * has a thread a processor, calls in flight want more. */
#pragma once

#include "err.h"

/* Runs work(ctx, 0) .. work(ctx, n - 1) on up to `threads` threads (the calling one included) in
 * that order of start; returns when all ended. The first failure stops what has not begun and is
 * the result. */
RX_MUST_USE bool crew_run(unsigned threads, size_t n,
			  bool (*work)(void *ctx, size_t i, struct rx_err *err), void *ctx,
			  struct rx_err *err);
