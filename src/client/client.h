/* client: a connection to a server (or three: CAS, action cache, executor) with its headers, retry
 * policy and capabilities; cas, ac, bytestream and execution work on it. Thread-safe once open. */
#pragma once

#include "call.h"
#include "endpoint.h"
#include "pool.h"
#include "retry.h"
#include "wire_capabilities.h"

enum client_role { CLIENT_CAS, CLIENT_AC, CLIENT_EXECUTOR };

struct client;
/* `embedded` must have been replaced by a URL. Strings are copied. Does not connect yet. */
struct client *client_new(struct loop *l, struct pool *pool, const struct endpoint_settings *s,
			  struct rx_err *err);
void client_free(struct client *c);

const char *client_instance(const struct client *c);
enum digest_function
client_function(const struct client *c); /* settled once capabilities are known */
const char *client_display(const struct client *c, enum client_role role);
struct pool *client_pool(const struct client *c);
/* Names the action in RequestMetadata of what follows (exec: its digest's hash); NULL to stop. */
void client_set_action(struct client *c, const char *action_id, const char *mnemonic,
		       const char *target);

/* What was moved, for reports. */
struct client_stats {
	int64_t uploaded_bytes, downloaded_bytes;
	size_t uploaded_blobs, downloaded_blobs, calls, retries;
};
void client_stats_get(const struct client *c, struct client_stats *out);

/* One unary call with headers, deadline, retries. Errors read "Method: CODE: message (after N tries
 * in T)", with the endpoint. status (may be NULL) and reply live in the arena. Expected codes (a
 * miss) are told by `expected`: the call returns true with status->code set to it. */
RX_MUST_USE bool client_unary(struct client *c, enum client_role role, const char *method,
			      struct rx_view req, int expected, struct arena *a,
			      struct rx_view *reply, struct rpc_status *status, struct rx_err *err);
