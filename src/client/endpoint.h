/* endpoint: where a server is: parsed URLs and all settings of a connection. Pure; connects
 * nothing. */
#pragma once

#include "digest.h"

enum endpoint_scheme { ENDPOINT_GRPC, ENDPOINT_GRPCS, ENDPOINT_UNIX, ENDPOINT_EMBEDDED };
struct endpoint {
	enum endpoint_scheme scheme;
	char *target;    /* for gRPC: "host:port", "[::1]:port", "unix:/path" */
	char *display;   /* "grpcs://cache.example:443", without user info */
	char *user_info; /* "user:pass" of user:pass@host, else NULL */
};
/* "grpc://host:port", "grpcs://host[:443]", "unix:///path", "embedded"; "host:port" is grpc.
 * RX_EUSAGE says what is wrong. */
RX_MUST_USE bool endpoint_parse(const char *url, struct endpoint *out, struct rx_err *err);
void endpoint_release(struct endpoint *e);
/* Loopback or a unix socket: what is sent in clear stays on this machine. */
bool endpoint_is_local(const struct endpoint *e);

struct endpoint_header {
	const char *name, *value;
};
/* All connection options of CLI.md; strings are borrowed. */
struct endpoint_settings {
	const char *remote, *cas, *ac, *executor; /* URLs; NULL = remote */
	const char *instance;                     /* NULL = "" */
	const struct endpoint_header *headers;
	size_t n_headers;
	const char *token_file;
	const char *tls_ca, *tls_cert, *tls_key, *tls_server_name;
	enum digest_function function; /* UNKNOWN = SHA256, or what the server has */
	unsigned jobs;                 /* transfers in flight; 0 = 16 */
	unsigned retries;              /* further tries after the first */
	bool retries_set;
	int64_t rpc_timeout_ms, keepalive_ms; /* 0 = defaults */
	const char *invocation_id, *correlated_id;
	const char *tool_name, *tool_version;
};
