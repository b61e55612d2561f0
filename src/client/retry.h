/* retry: whether and when to try again. Pure: the clock and the dice are the caller's. (REAPI rules
 * 115, 146-151) */
#pragma once

#include "compiler.h"

struct retry_policy {
	unsigned tries; /* in all, at least 1 */
	int64_t base_ms, max_ms;
	double jitter; /* 0.1 = up to 10 % either way */
};
#define RETRY_DEFAULT                                                                              \
	((struct retry_policy){ .tries = 6, .base_ms = 100, .max_ms = 5000, .jitter = 0.1 })

struct retry {
	struct retry_policy policy;
	unsigned failed; /* tries that failed so far */
	unsigned since_progress;
	int64_t waited_ms;
	int64_t asked_ms; /* the server's last RetryInfo: backoff goes on from it */
};
/* A server that asks for a longer pause is not waited for: the call fails. */
#define RETRY_INFO_MAX_MS 300000
bool retry_code_is_transient(int grpc_code);
/* Records a failure; true: wait wait_ms_out, then try again. random is uniform in [0, 1).
 * retry_info_ms < 0 = none. */
bool retry_again(struct retry *r, int grpc_code, int64_t retry_info_ms, double random,
		 int64_t *wait_ms_out);
void retry_progress(struct retry *r); /* bytes moved: backoff starts over, tries stay counted */
