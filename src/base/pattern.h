/* pattern: PCRE2 regular expressions with JIT, limits and positions in errors. Compiled patterns
 * are immutable and may be shared; matching is thread-safe. */
#pragma once

#include "err.h"

#define PATTERN_MATCH_LIMIT 1000000u
#define PATTERN_DEPTH_LIMIT 10000u

struct pattern;
/* Fails with RX_EUSAGE "regular expression 'x': column N: why". */
struct pattern *pattern_new(const char *regex, struct rx_err *err);
void pattern_free(struct pattern *p);
/* Searches (not anchored). matched is set on success; a match limit reached is an error
 * (RX_ELIMIT). */
RX_MUST_USE bool pattern_search(const struct pattern *p, struct rx_view subject, bool *matched,
				struct rx_err *err);
const char *pattern_text(const struct pattern *p);
