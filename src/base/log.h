/* log: debug lines on stderr for -v, one at a time and never torn (a newline or escape in the text
 * becomes \xNN); the cancel flag. The only globals of the program. */
#pragma once

#include "compiler.h"

enum log_level { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE, LOG_DEBUG };
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* Lines go to this descriptor from now on (the server's log file); 2 at the start. */
void log_set_fd(int fd);
/* From now on: a file that has grown past this is emptied before the next line; 0 = never. It must
 * be open for appending. */
void log_set_max(int64_t bytes);
void rx_debug(const char *fmt, ...) RX_PRINTF(1, 2); /* shown from LOG_DEBUG (-v -v) */
void rx_note(const char *fmt, ...)
	RX_PRINTF(1, 2); /* "remex: note: ..." unless LOG_QUIET; each text once per process */

/* Set from the signal thread; long loops look at it. Async-signal-safe. */
void rx_cancel_set(void);
bool rx_cancelled(void);
/* The flag itself, for who takes one (runner_run). Read it with __atomic_load_n. */
const volatile bool *rx_cancel_flag(void);
