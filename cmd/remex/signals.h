/* signals: the one thread that waits for SIGINT and SIGTERM: the first cancels what runs, the
 * second ends the program. */
#pragma once

#include "loop.h"
#include "runner.h"

/* Blocks the signals in the calling thread (and so in all that it starts) and starts the thread:
 * call it after the last fork, before any other thread. SIGPIPE is ignored from here on. */
void signals_start(struct runner *runner);
/* What to cancel; NULL before the loop is freed. */
void signals_watch(struct loop *loop);
/* The first signal's number, 0 = none came. */
int signals_received(void);
