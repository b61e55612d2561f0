/* loop: the one completion queue and the one thread that everything gRPC in this process runs on.
 *
 * Callbacks on the loop only move bytes and statuses; hashing, files and big (un)packing run on a
 * pool. A blocking function of this room that is called on the loop thread is an assertion failure.
 * Timers are here too (retry, idle). */
#pragma once

#include "err.h"

struct loop;
/* Starts gRPC and the thread. One per process in practice; several are fine in tests. Never fork
 * after it. */
struct loop *loop_new(void);
/* Cancels what still runs, waits for it, shuts down in order (needed by sanitizers); a one-shot
 * command may _exit instead. Readers, writers, channels, listeners and timers are freed before. */
void loop_free(struct loop *l);
bool loop_is_current(const struct loop *l);
/* Cancels every live client call of the loop: for the signal thread, after rx_cancel_set. Calls
 * started later end CANCELLED at once. */
void loop_cancel_all(struct loop *l);
/* Runs fn once on the loop thread after delay_ms. The timer is the caller's until loop_timer_stop,
 * also after it fired. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *l, int64_t delay_ms, void (*fn)(void *ctx),
				    void *ctx);
/* Frees t; after it returns fn neither runs nor will run. NULL is fine. Not from within fn itself.
 */
void loop_timer_stop(struct loop_timer *t);
