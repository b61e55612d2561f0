/* clock: reading clocks, and durations and sizes in and out of text. */
#include "clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void clock_sleep_ms(int64_t ms)
{
	if (ms <= 0)
		return;
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

struct unit {
	const char *name;
	int64_t factor;
};

/* Reads "digits[.digits]" and a unit at *at; the product must be whole. Returns the index of the
 * unit, -1 when the text is not that or is too large. */
static int read_quantity(const char **at, const struct unit *units, size_t count, int64_t *out)
{
	const char *p = *at;
	int64_t whole = 0, part = 0, scale = 1;
	bool digits = false;

	for (; *p >= '0' && *p <= '9'; p++, digits = true)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *p - '0', &whole))
			return -1;
	if (digits && *p == '.') {
		digits = false;
		for (p++; *p >= '0' && *p <= '9'; p++, digits = true) {
			if (scale == 1000000)
				return -1;
			part = part * 10 + (*p - '0');
			scale *= 10;
		}
	}
	if (!digits)
		return -1;
	size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	for (size_t i = 0; i < count; i++) {
		int64_t value, more;
		if (strlen(units[i].name) != len || memcmp(units[i].name, p, len) != 0)
			continue;
		if (__builtin_mul_overflow(whole, units[i].factor, &value) ||
		    __builtin_mul_overflow(part, units[i].factor, &more) || more % scale ||
		    __builtin_add_overflow(value, more / scale, &value))
			return -1;
		*out = value;
		*at = p + len;
		return (int)i;
	}
	return -1;
}

bool clock_parse_duration(const char *text, int64_t *ms_out, struct rx_err *err)
{
	static const struct unit units[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
	};
	const char *at = text;
	int64_t total = 0;
	int last = -1;

	if (strcmp(text, "0") == 0) {
		*ms_out = 0;
		return true;
	}
	do {
		int64_t value;
		int unit = read_quantity(&at, units, RX_COUNT(units), &value);
		/* "1h30m" yes, "30m1h" and "5s5s" no */
		if (unit <= last || __builtin_add_overflow(total, value, &total))
			return rx_fail(err, RX_EUSAGE,
				       "'%s' is not a duration: write it like 500ms, 30s, 5m or "
				       "1h30m",
				       text);
		last = unit;
	} while (*at);
	*ms_out = total;
	return true;
}

bool clock_parse_size(const char *text, int64_t *bytes_out, struct rx_err *err)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "B", 1 },
		{ "KiB", (int64_t)1 << 10 },
		{ "MiB", (int64_t)1 << 20 },
		{ "GiB", (int64_t)1 << 30 },
		{ "TiB", (int64_t)1 << 40 },
		{ "kB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "TB", 1000000000000 },
	};
	const char *at = text;
	int64_t value;

	if (read_quantity(&at, units, RX_COUNT(units), &value) < 0 || *at)
		return rx_fail(err, RX_EUSAGE,
			       "'%s' is not a size: write it like 4096, 64KiB, 10MB or 1GiB", text);
	*bytes_out = value;
	return true;
}

void clock_add_size(struct rx_buf *out, int64_t bytes)
{
	static const char prefixes[] = "KMGTPE";
	uint64_t n = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
	const char *sign = bytes < 0 ? "-" : "";
	unsigned unit = 0;

	if (n < 1024) {
		rx_buf_addf(out, "%s%" PRIu64 " B", sign, n);
		return;
	}
	/* 1023.95 and more would be shown as 1024.0 */
	while (n / 1024 >= 1024 || (n / 1024 == 1023 && n % 1024 >= 973)) {
		n /= 1024;
		unit++;
	}
	uint64_t tenths = (n * 10 + 512) / 1024;
	rx_buf_addf(out, "%s%" PRIu64 ".%" PRIu64 " %ciB", sign, tenths / 10, tenths % 10,
		    prefixes[unit]);
}

void clock_add_duration(struct rx_buf *out, int64_t ns)
{
	uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint64_t seconds = n / 1000000000;

	if (ns < 0)
		rx_buf_add_char(out, '-');
	if (n == 0) {
		rx_buf_add_str(out, "0s");
	} else if (n < 1000) {
		rx_buf_addf(out, "%" PRIu64 "ns", n);
	} else if (n < 1000000) {
		rx_buf_addf(out, "%" PRIu64 "us", n / 1000);
	} else if (seconds == 0) {
		rx_buf_addf(out, "%" PRIu64 "ms", n / 1000000);
	} else if (seconds < 60) {
		rx_buf_addf(out, "%" PRIu64 ".%" PRIu64 "s", seconds, n / 100000000 % 10);
	} else if (seconds < 3600) {
		rx_buf_addf(out, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
	} else {
		rx_buf_addf(out, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
	}
}

void clock_add_rfc3339(struct rx_buf *out, int64_t wall_ns)
{
	int64_t rest = wall_ns % 1000000000;
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm t;
	int digits = 9;

	if (rest < 0) {
		rest += 1000000000;
		seconds--;
	}
	gmtime_r(&seconds, &t);
	rx_buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
		    t.tm_hour, t.tm_min, t.tm_sec);
	if (rest) {
		for (; rest % 10 == 0; rest /= 10)
			digits--;
		rx_buf_addf(out, ".%0*" PRId64, digits, rest);
	}
	rx_buf_add_char(out, 'Z');
}
