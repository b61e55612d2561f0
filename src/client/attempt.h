/* attempt: one piece of work on a server from its first try to its last: decides on the next try,
 * waits, and says in the end what was tried.
 *
 *	attempt_init(&t, c, CLIENT_CAS, WIRE_CAS "BatchReadBlobs");
 *	while (!try(&status)) {
 *		if (!attempt_again(&t, &status))
 *			return attempt_fail(&t, &status, err);
 *	}
 */
#pragma once

#include "client.h"

struct attempt {
	struct client *client;
	enum client_role role;
	const char *method;
	struct retry retry;
	int64_t started_ns;
	bool token_tried;
};
void attempt_init(struct attempt *t, struct client *c, enum client_role role, const char *method);
/* After a failed try: waits as the policy and the server's RetryInfo say. False: give up (also when
 * the user stopped the program). An UNAUTHENTICATED try is repeated once with a fresh token (REAPI
 * rule 147). */
RX_MUST_USE bool attempt_again(struct attempt *t, const struct rpc_status *status);
/* "grpcs://host:443 (instance 'main'): Method: CODE: message (after N tries in T)" */
bool attempt_fail(const struct attempt *t, const struct rpc_status *status, struct rx_err *err);
/* Names endpoint and method in front of an error about an answer, which makes it the service's, and
 * what to do next. */
bool attempt_wrap(const struct attempt *t, struct rx_err *err);
