/* channel: a connection to one target, plain or TLS. Thread-safe once made. */
#pragma once

#include "loop.h"

struct channel_options {
	const char *target;  /* "host:port" or "unix:/path" */
	const char *display; /* how messages name it: "grpcs://cache.example:443" */
	bool tls;
	const char *tls_ca;   /* PEM file; NULL = the system's roots */
	const char *tls_cert; /* PEM files, both or none */
	const char *tls_key;
	const char *tls_server_name; /* expected name, NULL = the target's */
	int64_t keepalive_ms;        /* 0 = off */
	const char *user_agent;      /* prefix; may be NULL */
	int64_t max_receive;         /* largest message taken, 0 = CHANNEL_MAX_RECEIVE */
};
#define CHANNEL_MAX_RECEIVE (256 << 20)

struct channel;
/* Does not connect yet; fails on unreadable or malformed PEM files (RX_EUSAGE, naming the file). */
struct channel *channel_new(struct loop *l, const struct channel_options *o, struct rx_err *err);
void channel_free(struct channel *c);
const char *channel_display(const struct channel *c);
struct loop *channel_loop(const struct channel *c);
