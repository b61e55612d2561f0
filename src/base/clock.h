/* clock: times, durations and sizes as people write them. */
#pragma once

#include "err.h"

int64_t clock_mono_ns(void);
int64_t clock_wall_ns(void); /* since 1970 UTC */
void clock_sleep_ms(int64_t ms);
/* "500ms", "30s", "5m", "1h", "1h30m", "1.5s"; a bare number is refused except 0. */
RX_MUST_USE bool clock_parse_duration(const char *text, int64_t *ms_out, struct rx_err *err);
/* "4096", "4KiB", "1GiB", "10MB"; B, KiB/MiB/GiB/TiB and kB/MB/GB/TB. */
RX_MUST_USE bool clock_parse_size(const char *text, int64_t *bytes_out, struct rx_err *err);
void clock_add_size(struct rx_buf *out, int64_t bytes);  /* "4.0 MiB" */
void clock_add_duration(struct rx_buf *out, int64_t ns); /* "3.1s", "12ms" */
/* RFC 3339 in UTC with as many fractional digits as needed. */
void clock_add_rfc3339(struct rx_buf *out, int64_t wall_ns);
