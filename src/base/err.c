/* err: builds the one line that says why something failed. */
#include "err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What err.h makes of them for the analyzer. */
#undef rx_fail
#undef rx_fail_errno
#undef rx_fail_rpc
#undef rx_wrap

static RX_PRINTF(1, 0) char *format(const char *fmt, va_list ap)
{
	struct rx_buf text = { 0 };
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *at = n >= 0 ? rx_buf_reserve(&text, RX_MIN((size_t)n, RX_BUF_DEFAULT_MAX)) : NULL;
	if (at) {
		n = (int)RX_MIN((unsigned)n, RX_BUF_DEFAULT_MAX);
		(void)vsnprintf(at, (size_t)n + 1, fmt, again);
		rx_buf_grew(&text, (size_t)n);
	}
	va_end(again);
	return rx_buf_take(&text);
}

static RX_PRINTF(3, 0) void start(struct rx_err *err, enum rx_code code, const char *fmt,
				  va_list ap)
{
	assert(err->code == RX_OK);
	assert(code != RX_OK);
	/* The text is made first: an argument may come from this very error. */
	RX_CLEANUP(xfreep) char *text = format(fmt, ap);
	rx_err_reset(err);
	err->code = code;
	rx_buf_add_str(&err->msg, text);
}

bool rx_fail(struct rx_err *err, enum rx_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	start(err, code, fmt, ap);
	va_end(ap);
	return false;
}

bool rx_fail_errno(struct rx_err *err, const char *fmt, ...)
{
	int number = errno;
	enum rx_code code = RX_EIO;
	char room[128];
	va_list ap;

	if (number == ENOENT)
		code = RX_ENOENT;
	else if (number == EEXIST)
		code = RX_EEXIST;
	va_start(ap, fmt);
	start(err, code, fmt, ap);
	va_end(ap);
	err->sys_errno = number;
	rx_buf_addf(&err->msg, ": %s", strerror_r(number, room, sizeof(room)));
	return false;
}

bool rx_fail_rpc(struct rx_err *err, int grpc_status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	start(err, RX_ERPC, fmt, ap);
	va_end(ap);
	err->grpc_status = grpc_status;
	return false;
}

bool rx_wrap(struct rx_err *err, const char *fmt, ...)
{
	va_list ap;

	assert(err->code != RX_OK);
	va_start(ap, fmt);
	RX_CLEANUP(xfreep) char *text = format(fmt, ap);
	va_end(ap);
	rx_buf_insert(&err->msg, 0, ": ", 2);
	rx_buf_insert(&err->msg, 0, text, strlen(text));
	return false;
}

static bool is_advice(const char *line)
{
	return strncmp(line, "try: ", 5) == 0;
}

/* The first line of advice; NULL when there is none. */
static const char *advice(const char *lines)
{
	while (lines && !is_advice(lines)) {
		lines = strchr(lines, '\n');
		if (lines)
			lines++;
	}
	return lines;
}

void rx_hint(struct rx_err *err, const char *fmt, ...)
{
	const char *at;
	va_list ap;

	va_start(ap, fmt);
	RX_CLEANUP(xfreep) char *text = format(fmt, ap);
	va_end(ap);
	at = is_advice(text) ? NULL : advice(rx_buf_str(&err->hint));
	if (at) {
		size_t offset = (size_t)(at - rx_buf_str(&err->hint));

		rx_buf_insert(&err->hint, offset, "\n", 1);
		rx_buf_insert(&err->hint, offset, text, strlen(text));
		return;
	}
	if (err->hint.n)
		rx_buf_add_char(&err->hint, '\n');
	rx_buf_add_str(&err->hint, text);
}

void rx_err_move(struct rx_err *to, struct rx_err *from)
{
	assert(to->code == RX_OK);
	rx_err_release(to);
	*to = *from;
	*from = (struct rx_err){ 0 };
}

void rx_err_copy(struct rx_err *to, const struct rx_err *from)
{
	rx_fail(to, from->code, "%s", rx_err_text(from));
	to->grpc_status = from->grpc_status;
	to->sys_errno = from->sys_errno;
	to->service = from->service;
	if (from->hint.n)
		rx_hint(to, "%s", rx_buf_str(&from->hint));
}

void rx_err_reset(struct rx_err *err)
{
	err->code = RX_OK;
	err->grpc_status = 0;
	err->sys_errno = 0;
	err->service = false;
	rx_buf_reset(&err->msg);
	rx_buf_reset(&err->hint);
}

void rx_err_release(struct rx_err *err)
{
	if (!err)
		return;
	rx_buf_release(&err->msg);
	rx_buf_release(&err->hint);
	*err = (struct rx_err){ 0 };
}

const char *rx_err_text(const struct rx_err *err)
{
	return rx_buf_str(&err->msg);
}

/* The text for an unnamed code lives until the same thread asks for another one. */
const char *rx_grpc_name(int grpc_status)
{
	static const char *const names[] = {
		"OK",
		"CANCELLED",
		"UNKNOWN",
		"INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED",
		"NOT_FOUND",
		"ALREADY_EXISTS",
		"PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION",
		"ABORTED",
		"OUT_OF_RANGE",
		"UNIMPLEMENTED",
		"INTERNAL",
		"UNAVAILABLE",
		"DATA_LOSS",
		"UNAUTHENTICATED",
	};
	static _Thread_local char other[24];

	if (grpc_status >= 0 && (size_t)grpc_status < RX_COUNT(names))
		return names[grpc_status];
	(void)snprintf(other, sizeof(other), "CODE_%d", grpc_status);
	return other;
}
