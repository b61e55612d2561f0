/* attempt: tries, waits and the words for both. */
#include "attempt.h"

#include "client_state.h"
#include "clock.h"
#include "log.h"
#include "utf8.h"
#include "wire_capabilities.h"
#include "wire_status.h"

#define SLEEP_STEP_MS 20

void attempt_init(struct attempt *t, struct client *c, enum client_role role, const char *method)
{
	*t = (struct attempt){ .client = c,
			       .role = role,
			       .method = method,
			       .retry = { .policy = c->policy },
			       .started_ns = clock_mono_ns() };
}

/* Sleeps, false when the user stops the program meanwhile. */
static bool attempt_sleep(int64_t ms)
{
	int64_t until = clock_mono_ns() + ms * 1000000;

	for (;;) {
		int64_t left = (until - clock_mono_ns() + 999999) / 1000000;

		if (rx_cancelled())
			return false;
		if (left <= 0)
			return true;
		clock_sleep_ms(RX_MIN(left, SLEEP_STEP_MS));
	}
}

static int64_t retry_info_ms(const struct rpc_status *status)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	struct wire_status details;

	if (!status->details.n || !wire_status_unpack(&a, status->details, &details, &ignored))
		return -1;
	return details.has_retry ? RX_MAX(details.retry_ms, 0) : -1;
}

static const char *method_name(const char *method)
{
	const char *slash = strrchr(method, '/');

	return slash ? slash + 1 : method;
}

bool attempt_again(struct attempt *t, const struct rpc_status *status)
{
	int64_t wait_ms;
	double dice = (double)(random_u64() >> 11) * 0x1p-53;

	if (rx_cancelled())
		return false;
	/* REAPI rule 147 */
	if ((status->code == RPC_UNAUTHENTICATED || status->code == RPC_PERMISSION_DENIED) &&
	    !t->token_tried && client_token_reread(t->client)) {
		t->token_tried = true;
		t->retry.failed++;
		return true;
	}
	if (!retry_again(&t->retry, status->code, retry_info_ms(status), dice, &wait_ms))
		return false;
	rx_debug("%s: %s, next try in %lld ms", method_name(t->method), rx_grpc_name(status->code),
		 (long long)wait_ms);
	atomic_fetch_add(&t->client->retries, 1);
	return attempt_sleep(wait_ms);
}

/* What TLS said and which option answers that; the URL follows. */
static const struct {
	const char *said, *advice;
} tls_hints[] = {
	{ "certificate verify failed",
	  "--tls-ca with the authority that signed the certificate of" },
	{ "is not in peer certificate",
	  "--tls-server-name with a name that is in the certificate of" },
	{ "does the key fit its certificate", "--tls-cert and --tls-key of one pair for" },
	{ "does this port speak TLS", "grpc:// in place of grpcs:// for" },
};

/* The connection came about and ended at once; which words say so is a matter of who was faster. */
static bool hung_up(const char *text)
{
	return strstr(text, "cannot connect: Socket closed") ||
	       strstr(text, "cannot connect: Broken pipe") ||
	       strstr(text, "cannot connect: Connection reset");
}

/* Why the peer hung up, as far as one can guess; the URL follows. */
static const char *peer_hint(const struct attempt *t, const struct rx_err *err)
{
	static const char foreign[] = "as the user whose server listens at";
	enum endpoint_scheme scheme = t->client->role[t->role].endpoint.scheme;
	const char *text = rx_err_text(err);

	for (size_t i = 0; i < RX_COUNT(tls_hints); i++)
		if (strstr(text, tls_hints[i].said))
			return tls_hints[i].advice;
	if (scheme == ENDPOINT_UNIX)
		return hung_up(text) || strstr(text, "cannot connect: Permission denied") ? foreign
											  : NULL;
	if (!hung_up(text))
		return NULL;
	return scheme == ENDPOINT_GRPCS ? "--tls-cert and --tls-key, which may be asked for by"
					: "grpcs:// in place of grpc:// for";
}

/* What to look at next when the service does not do as it should. */
static void hint_at_service(const struct attempt *t, struct rx_err *err)
{
	const char *url = t->client->role[t->role].endpoint.display;
	const char *advice = peer_hint(t, err);
	bool first = strcmp(t->method, WIRE_CAPABILITIES) == 0;

	if (!advice && first &&
	    (err->grpc_status == RPC_INVALID_ARGUMENT || err->grpc_status == RPC_NOT_FOUND))
		/* BuildGrid, buildbox-casd and NativeLink serve the names they were given. */
		advice = "--instance with a name that is served by";
	if (!advice && first)
		rx_hint(err, "try: another --remote; is a REAPI server listening at %s?", url);
	else
		rx_hint(err, "try: %s %s", advice ? advice : "remex caps -r", url);
}

bool attempt_wrap(const struct attempt *t, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf place = { 0 };

	client_add_place(t->client, t->role, &place);
	rx_wrap(err, "%s: %s", rx_buf_str(&place), method_name(t->method));
	if (err->code == RX_ECANCEL)
		return false;
	err->service = true;
	if (err->code == RX_EDIGEST)
		rx_hint(err, "try: upload it again, or run its action with --no-cache-lookup; the "
			     "copy there is damaged");
	else
		hint_at_service(t, err);
	return false;
}

bool attempt_fail(const struct attempt *t, const struct rpc_status *status, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	const char *url = t->client->role[t->role].endpoint.display;
	unsigned tries = RX_MAX(t->retry.failed, 1u);

	if (rx_cancelled())
		return rx_fail(err, RX_ECANCEL, "stopped");
	client_add_place(t->client, t->role, &text);
	rx_buf_addf(&text, ": %s: %s", method_name(t->method), rx_grpc_name(status->code));
	if (*status->message) {
		rx_buf_add_str(&text, ": ");
		utf8_add_safe(&text, status->message, strlen(status->message),
			      LIMIT_STATUS_MESSAGE);
	}
	if (tries > 1) {
		rx_buf_addf(&text, " (after %u tries in ", tries);
		clock_add_duration(&text, clock_mono_ns() - t->started_ns);
		rx_buf_add_char(&text, ')');
	}
	rx_fail_rpc(err, status->code, "%s", rx_buf_str(&text));
	err->service = true;
	switch (status->code) {
	case RPC_RESOURCE_EXHAUSTED:
		rx_hint(err, "try: again when there is room (space, memory or quota) on %s", url);
		break;
	case RPC_UNAUTHENTICATED:
	case RPC_PERMISSION_DENIED:
		rx_hint(err, "try: --token-file, --header or --tls-cert with what %s accepts", url);
		break;
	default:
		hint_at_service(t, err);
		break;
	}
	return false;
}
