/* test_clock: what people write and read as times and sizes. */
#include "clock.h"

#include <criterion/criterion.h>

static int64_t duration(const char *text)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	int64_t ms = -1;

	if (!clock_parse_duration(text, &ms, &err)) {
		cr_assert_eq(err.code, RX_EUSAGE);
		cr_assert_eq(ms, -1);
	}
	return ms;
}

static int64_t size(const char *text)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	int64_t bytes = -1;

	if (!clock_parse_size(text, &bytes, &err))
		cr_assert_eq(err.code, RX_EUSAGE);
	return bytes;
}

Test(clock, durations)
{
	cr_assert_eq(duration("0"), 0);
	cr_assert_eq(duration("500ms"), 500);
	cr_assert_eq(duration("30s"), 30000);
	cr_assert_eq(duration("5m"), 300000);
	cr_assert_eq(duration("1h"), 3600000);
	cr_assert_eq(duration("1h30m"), 5400000);
	cr_assert_eq(duration("1.5s"), 1500);
	cr_assert_eq(duration("2d"), 172800000);
	cr_assert_eq(duration("0s"), 0);
}

Test(clock, durations_that_mean_nothing)
{
	static const char *const bad[] = { "",
					   "5",
					   "s",
					   "-5s",
					   "5s5s",
					   "30m1h",
					   "1.s",
					   ".5s",
					   "5 s",
					   "5S",
					   "1ss",
					   "0.1ms",
					   "5sx",
					   "00",
					   "1e3s",
					   "9223372036854775807h",
					   "99999999999999999999s",
					   "106751991167d106751991167h" };

	for (size_t i = 0; i < RX_COUNT(bad); i++)
		cr_assert_eq(duration(bad[i]), -1, "'%s'", bad[i]);
}

Test(clock, sizes)
{
	cr_assert_eq(size("0"), 0);
	cr_assert_eq(size("4096"), 4096);
	cr_assert_eq(size("4096B"), 4096);
	cr_assert_eq(size("4KiB"), 4096);
	cr_assert_eq(size("1GiB"), 1 << 30);
	cr_assert_eq(size("1TiB"), (int64_t)1 << 40);
	cr_assert_eq(size("10MB"), 10000000);
	cr_assert_eq(size("1kB"), 1000);
	cr_assert_eq(size("1.5KiB"), 1536);
	cr_assert_eq(size(""), -1);
	cr_assert_eq(size("1K"), -1);
	cr_assert_eq(size("1kb"), -1);
	cr_assert_eq(size("-1"), -1);
	cr_assert_eq(size("0.5"), -1, "half a byte");
	cr_assert_eq(size("9223372036854775808"), -1);
	cr_assert_eq(size("9000000TiB"), -1);
	cr_assert_eq(size("1KiB "), -1);
}

static const char *shown_size(int64_t n)
{
	static char text[64];
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	clock_add_size(&b, n);
	(void)snprintf(text, sizeof(text), "%s", rx_buf_str(&b));
	return text;
}

static const char *shown_duration(int64_t ns)
{
	static char text[64];
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	clock_add_duration(&b, ns);
	(void)snprintf(text, sizeof(text), "%s", rx_buf_str(&b));
	return text;
}

static const char *shown_time(int64_t ns)
{
	static char text[64];
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	clock_add_rfc3339(&b, ns);
	(void)snprintf(text, sizeof(text), "%s", rx_buf_str(&b));
	return text;
}

Test(clock, shows_sizes)
{
	cr_assert_str_eq(shown_size(0), "0 B");
	cr_assert_str_eq(shown_size(1023), "1023 B");
	cr_assert_str_eq(shown_size(1024), "1.0 KiB");
	cr_assert_str_eq(shown_size(4 << 20), "4.0 MiB");
	cr_assert_str_eq(shown_size((1 << 20) - 1), "1.0 MiB");
	cr_assert_str_eq(shown_size(1536), "1.5 KiB");
	cr_assert_str_eq(shown_size(INT64_MAX), "8.0 EiB");
	cr_assert_str_eq(shown_size(-2048), "-2.0 KiB");
}

Test(clock, shows_durations)
{
	cr_assert_str_eq(shown_duration(0), "0s");
	cr_assert_str_eq(shown_duration(12345678), "12ms");
	cr_assert_str_eq(shown_duration(3123456789), "3.1s");
	cr_assert_str_eq(shown_duration(61000000000), "1m01s");
	cr_assert_str_eq(shown_duration(3723000000000), "1h02m");
	cr_assert_str_eq(shown_duration(1500), "1us");
	cr_assert_str_eq(shown_duration(-5000000), "-5ms");
	cr_assert_str_neq(shown_duration(INT64_MIN), "");
}

Test(clock, shows_times)
{
	cr_assert_str_eq(shown_time(0), "1970-01-01T00:00:00Z");
	cr_assert_str_eq(shown_time(1709210096789000000), "2024-02-29T12:34:56.789Z");
	cr_assert_str_eq(shown_time(1), "1970-01-01T00:00:00.000000001Z");
	cr_assert_str_eq(shown_time(-1), "1969-12-31T23:59:59.999999999Z");
	cr_assert_str_eq(shown_time(-1000000000), "1969-12-31T23:59:59Z");
}

Test(clock, time_passes)
{
	int64_t before = clock_mono_ns();

	clock_sleep_ms(5);
	clock_sleep_ms(0);
	clock_sleep_ms(-1);
	cr_assert_geq(clock_mono_ns() - before, 5000000);
	cr_assert_gt(clock_wall_ns(), 1600000000000000000);
}
