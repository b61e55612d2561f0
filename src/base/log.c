/* log: one write(2) a line; the level, the descriptor and the cancel flag are the only globals. */
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "map.h"
#include "utf8.h"

#define LINE_MAX_BYTES 8192u
#define NOTES_MAX      4096u /* texts remembered; later ones may come twice */

static atomic_int level = LOG_NORMAL;
static atomic_int descriptor = 2;
static _Atomic int64_t most; /* bytes in the file */
static volatile bool cancelled;

void log_set_level(enum log_level to)
{
	atomic_store_explicit(&level, to, memory_order_relaxed);
}

enum log_level log_level(void)
{
	return (enum log_level)atomic_load_explicit(&level, memory_order_relaxed);
}

void log_set_max(int64_t bytes)
{
	atomic_store(&most, bytes);
}

void log_set_fd(int fd)
{
	atomic_store(&descriptor, fd);
}

/* What a peer sent may be in the text: it stays one line and cannot steer the terminal. */
static RX_PRINTF(2, 0) void make_line(struct rx_buf *line, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n > 0)
		utf8_add_safe(line, text, RX_MIN((size_t)n, sizeof(text) - 1), LINE_MAX_BYTES);
	rx_buf_add_char(line, '\n');
}

static void write_line(struct rx_view line)
{
	int saved = errno, fd = atomic_load(&descriptor);
	int64_t max = atomic_load(&most);
	struct stat st;
	ssize_t done;

	if (max && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > max) {
		int ignored = ftruncate(fd, 0); /* then it goes on growing */

		(void)ignored;
	}
	do
		done = write(fd, line.p, line.n);
	while (done < 0 && errno == EINTR);
	errno = saved;
}

void rx_debug(const char *fmt, ...)
{
	if (log_level() < LOG_DEBUG)
		return;
	RX_CLEANUP(rx_buf_release) struct rx_buf line = { 0 };
	va_list ap;

	rx_buf_add_str(&line, "remex: debug: ");
	va_start(ap, fmt);
	make_line(&line, fmt, ap);
	va_end(ap);
	write_line(rx_view_of(&line));
}

static bool first_time(struct rx_view text)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct rx_map seen;
	bool first = true;

	pthread_mutex_lock(&lock);
	if (rx_map_has(&seen, text.p, text.n))
		first = false;
	else if (seen.n < NOTES_MAX)
		rx_map_put(&seen, text.p, text.n, NULL);
	pthread_mutex_unlock(&lock);
	return first;
}

void rx_note(const char *fmt, ...)
{
	if (log_level() == LOG_QUIET)
		return;
	RX_CLEANUP(rx_buf_release) struct rx_buf line = { 0 };
	va_list ap;

	rx_buf_add_str(&line, "remex: note: ");
	va_start(ap, fmt);
	make_line(&line, fmt, ap);
	va_end(ap);
	if (first_time(rx_view_of(&line)))
		write_line(rx_view_of(&line));
}

void rx_cancel_set(void)
{
	__atomic_store_n(&cancelled, true, __ATOMIC_RELEASE);
}

bool rx_cancelled(void)
{
	return __atomic_load_n(&cancelled, __ATOMIC_ACQUIRE);
}

const volatile bool *rx_cancel_flag(void)
{
	return &cancelled;
}
