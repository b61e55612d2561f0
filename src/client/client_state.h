/* client_state: what is inside a client, for the files of this room alone. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "ac.h"
#include "cas.h"
#include "map.h"
#include "plan.h"

struct caps_slot {
	struct caps caps;
	bool known;
};

struct client_role_state {
	struct channel *channel; /* shared with an earlier role of the same URL */
	bool owns_channel;
	struct endpoint endpoint;
	char *basic; /* "Basic ..." of the URL's user info, or NULL */
	unsigned caps_slot;
};
#define CLIENT_ROLES 3

struct client_header {
	char *name, *value;
	size_t value_len;
};

struct client {
	struct loop *loop;
	struct pool *pool;
	struct client_role_state role[CLIENT_ROLES];
	char *instance;
	enum digest_function wanted;
	unsigned jobs;
	struct retry_policy policy;
	int64_t timeout_ms;
	struct client_header *headers;
	size_t n_headers;
	bool has_authorization; /* among the user's headers */
	char *tool_name, *tool_version, *invocation_id, *correlated_id;

	pthread_mutex_t lock;     /* token and metadata */
	char *token_file, *token; /* token: "Bearer ..." */
	struct timespec token_mtime;
	off_t token_size;
	char *metadata; /* RequestMetadata bytes, replaced by client_set_action */
	size_t metadata_len;

	pthread_mutex_t caps_lock; /* held while capabilities are asked for */
	struct arena caps_arena;
	struct caps_slot caps[CLIENT_ROLES];
	_Atomic(struct caps *) cas_caps; /* &caps[...].caps once known */

	atomic_int_least64_t batch_limit; /* learned: batches above it were refused; 0 = none */
	atomic_bool no_batch, no_find, no_query; /* learned: UNIMPLEMENTED */

	atomic_int_least64_t uploaded_bytes, downloaded_bytes;
	atomic_size_t uploaded_blobs, downloaded_blobs, calls, retries;

	struct cas_source {
		struct blob_source base;
		struct client *client;
	} source;
};

struct channel *client_channel(const struct client *c, enum client_role role);
/* Headers (in the arena) and timeout of a call; counts it. */
RX_MUST_USE bool client_call_options(struct client *c, enum client_role role, struct arena *a,
				     struct call_options *out, struct rx_err *err);
/* True when the token file has another token than before: trying again makes sense. */
bool client_token_reread(struct client *c);
/* "grpcs://cache.example:443 (instance 'main')" */
void client_add_place(const struct client *c, enum client_role role, struct rx_buf *out);
/* fetch of client->source (cas_fetch.c) */
RX_MUST_USE bool cas_fetch(struct blob_source *self, const struct digest *want, size_t n,
			   struct blob_receiver *to, struct digest_list *missing,
			   struct rx_err *err);

/* FindMissingBlobs of at most CAS_FIND_WINDOW different digests: missing[i] is set for those the
 * server lacks. */
#define CAS_FIND_WINDOW 10000
RX_MUST_USE bool cas_find_window(struct client *c, const struct digest *d, size_t n,
				 uint8_t *missing, struct rx_err *err);
/* Finds digests of an answer among those asked for: at once when the answer keeps the order (REAPI
 * rules 57, 62: it need not). */
struct cas_match {
	const struct digest *v;
	size_t n, at;
	struct rx_map map; /* filled when the order broke */
	bool mapped;
};
#define CAS_NO_MATCH SIZE_MAX
size_t cas_match_find(struct cas_match *m, const struct digest *d);
void cas_match_release(struct cas_match *m);
/* RESOURCE_EXHAUSTED or INVALID_ARGUMENT because a batch was too large (REAPI rule 60)? */
bool cas_is_too_large(const struct rpc_status *status);
/* Bytes that a batch request or answer may take on this server. */
int64_t cas_batch_limit(struct client *c, const struct caps *caps);
/* Batches of `bytes` were refused. */
void cas_learn_limit(struct client *c, int64_t bytes);
