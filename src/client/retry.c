/* retry: exponential backoff with jitter, as pure arithmetic. */
#include "retry.h"

#include "rpc_status.h"

bool retry_code_is_transient(int grpc_code)
{
	switch (grpc_code) {
	case RPC_CANCELLED: /* by somebody else: the caller knows its own (REAPI rule 146) */
	case RPC_UNKNOWN:
	case RPC_DEADLINE_EXCEEDED:
	case RPC_RESOURCE_EXHAUSTED:
	case RPC_ABORTED:
	case RPC_INTERNAL:
	case RPC_UNAVAILABLE:
		return true;
	default:
		return false;
	}
}

/* base * 2^(n - 1), never past max. */
static int64_t backoff(int64_t base, int64_t max, unsigned n)
{
	int64_t ms = base > 0 ? base : 1;

	while (n-- > 1 && ms < max)
		ms *= 2;
	return ms < max ? ms : max;
}

bool retry_again(struct retry *r, int grpc_code, int64_t retry_info_ms, double random,
		 int64_t *wait_ms_out)
{
	double factor = 1.0 + r->policy.jitter * (2.0 * random - 1.0);
	int64_t ms;

	r->failed++;
	r->since_progress++;
	if (r->failed >= r->policy.tries || !retry_code_is_transient(grpc_code))
		return false;
	if (retry_info_ms > RETRY_INFO_MAX_MS)
		return false;
	if (retry_info_ms >= 0) {
		/* REAPI rule 149: at least that long, then exponentially from there. */
		r->asked_ms = retry_info_ms;
		r->since_progress = 1;
		ms = r->asked_ms > r->policy.base_ms ? r->asked_ms : r->policy.base_ms;
		factor = 1.0 + r->policy.jitter * random;
	} else if (r->asked_ms > r->policy.base_ms) {
		int64_t max = r->asked_ms > r->policy.max_ms ? r->asked_ms : r->policy.max_ms;

		ms = backoff(r->asked_ms, max, r->since_progress);
	} else {
		ms = backoff(r->policy.base_ms, r->policy.max_ms, r->since_progress);
	}
	ms = (int64_t)((double)ms * factor);
	r->waited_ms += ms;
	*wait_ms_out = ms;
	return true;
}

void retry_progress(struct retry *r)
{
	r->since_progress = 0;
	r->asked_ms = 0;
}
