/* caps: what the server can do, asked once, with sane assumptions where it says nothing (REAPI
 * rules 36-56). */
#pragma once

#include "client.h"

struct caps {
	struct wire_capabilities raw;
	bool assumed;             /* the server has no Capabilities service */
	int api_major, api_minor; /* what we speak with it */
	enum digest_function function;
	int64_t max_batch;      /* 0 = not stated */
	bool needs_old_outputs; /* below 2.1: both output styles are sent */
	bool can_execute, can_update_ac;
	const char *warning; /* a deprecated version and the like, one line, or NULL */
};
/* Asked at the first call, remembered; NULL on failure. Thread-safe. Settles the digest function:
 * the one asked for must be offered (RX_EUSAGE names those that are); none asked: SHA256 if
 * offered, else the first we can compute. */
const struct caps *caps_get(struct client *c, struct rx_err *err);
/* Of another role's endpoint when it differs (the executor's). */
const struct caps *caps_get_role(struct client *c, enum client_role role, struct rx_err *err);
