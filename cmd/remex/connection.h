/* connection: the options of every command that talks to a server, and the session they lead to.
 *
 * Order matters: processes first (the spawner, the embedded server), then threads (signals, gRPC,
 * the pool); session_open keeps it. */
#pragma once

#include "client.h"
#include "command.h"
#include "runner.h"

#define CONNECTION_OPTIONS 24
struct connection {
	const char *remote, *cas, *ac, *executor;
	const char *instance;
	struct opt_list headers;
	const char *token_file;
	const char *tls_ca, *tls_cert, *tls_key, *tls_server_name;
	int function; /* enum digest_function */
	unsigned jobs;
	unsigned retries; /* CONNECTION_RETRIES_UNSET */
	int64_t rpc_timeout_ms, keepalive_ms;
	const char *invocation_id, *correlated_id, *tool;
	struct opt table[CONNECTION_OPTIONS];
	char *tool_name; /* of tool, split */
	struct endpoint_header *header_pairs;
};
#define CONNECTION_RETRIES_UNSET UINT32_MAX
/* Fills the table; returns it. */
const struct opt *connection_options(struct connection *k);
void connection_release(struct connection *k);

struct session {
	struct runner *runner;
	struct loop *loop;
	struct pool *pool;
	struct client *client;
	char *embedded_url;
	char *program;
};
/* Checks every setting before anything is started. want_runner: actions will run here. */
RX_MUST_USE bool session_open(struct session *s, const struct cmd *c, struct connection *k,
			      bool want_runner, struct rx_err *err);
void session_close(struct session *s);
