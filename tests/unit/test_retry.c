/* test_retry: which codes, how often, how long. */
#include <criterion/criterion.h>

#include "retry.h"
#include "rpc_status.h"

static struct retry fresh(unsigned tries, double jitter)
{
	return (struct retry){
		.policy = { .tries = tries, .base_ms = 100, .max_ms = 5000, .jitter = jitter }
	};
}

Test(retry, rule_146_codes)
{
	static const bool transient[17] = {
		[RPC_CANCELLED] = true,         [RPC_UNKNOWN] = true,
		[RPC_DEADLINE_EXCEEDED] = true, [RPC_RESOURCE_EXHAUSTED] = true,
		[RPC_ABORTED] = true,           [RPC_INTERNAL] = true,
		[RPC_UNAVAILABLE] = true,
	};

	for (int code = 0; code < 17; code++)
		cr_expect(retry_code_is_transient(code) == transient[code], "code %d", code);
	cr_expect_not(retry_code_is_transient(99));
}

Test(retry, rule_148_doubles_up_to_the_cap)
{
	struct retry r = fresh(12, 0);
	static const int64_t expect[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	int64_t ms, total = 0;

	for (size_t i = 0; i < 8; i++) {
		cr_assert(retry_again(&r, RPC_UNAVAILABLE, -1, 0.5, &ms));
		cr_expect_eq(ms, expect[i]);
		total += ms;
	}
	cr_expect_eq(r.waited_ms, total);
}

Test(retry, tries_count_the_first_one)
{
	struct retry r = fresh(3, 0), once = fresh(1, 0);
	int64_t ms = -7;

	cr_expect(retry_again(&r, RPC_UNAVAILABLE, -1, 0, &ms));
	cr_expect(retry_again(&r, RPC_UNAVAILABLE, -1, 0, &ms));
	cr_expect_not(retry_again(&r, RPC_UNAVAILABLE, -1, 0, &ms));
	cr_expect_eq(r.failed, 3);
	ms = -7;
	cr_expect_not(retry_again(&once, RPC_UNAVAILABLE, -1, 0, &ms));
	cr_expect_eq(ms, -7);
}

Test(retry, final_codes_are_not_tried_again)
{
	struct retry r = fresh(6, 0);
	int64_t ms;

	cr_expect_not(retry_again(&r, RPC_INVALID_ARGUMENT, 10, 0, &ms));
}

Test(retry, jitter_stays_within_its_share)
{
	int64_t ms;

	for (int i = 0; i < 100; i++) {
		struct retry r = fresh(6, 0.1);

		cr_assert(retry_again(&r, RPC_UNAVAILABLE, -1, i / 100.0, &ms));
		cr_expect(ms >= 90 && ms <= 110, "%ld", (long)ms);
	}
}

Test(retry, rule_149_waits_at_least_what_the_server_asks)
{
	struct retry r = fresh(10, 0.1);
	int64_t ms;

	cr_assert(retry_again(&r, RPC_UNAVAILABLE, 700, 0.0, &ms));
	cr_expect(ms >= 700, "%ld", (long)ms);
	cr_assert(retry_again(&r, RPC_UNAVAILABLE, -1, 0.5, &ms));
	cr_expect_eq(ms, 1400, "goes on exponentially from there, got %ld", (long)ms);
	cr_assert(retry_again(&r, RPC_UNAVAILABLE, 20000, 0.0, &ms));
	cr_expect(ms >= 20000, "more than the cap, when the server says so");
	cr_expect_not(retry_again(&r, RPC_UNAVAILABLE, RETRY_INFO_MAX_MS + 1, 0.0, &ms));
}

Test(retry, rule_151_progress_starts_backoff_over_but_keeps_counting)
{
	struct retry r = fresh(4, 0);
	int64_t ms;

	cr_assert(retry_again(&r, RPC_UNAVAILABLE, -1, 0.5, &ms));
	cr_assert(retry_again(&r, RPC_UNAVAILABLE, -1, 0.5, &ms));
	cr_expect_eq(ms, 200);
	retry_progress(&r);
	cr_assert(retry_again(&r, RPC_UNAVAILABLE, -1, 0.5, &ms));
	cr_expect_eq(ms, 100);
	retry_progress(&r);
	cr_expect_not(retry_again(&r, RPC_UNAVAILABLE, -1, 0.5, &ms));
}
