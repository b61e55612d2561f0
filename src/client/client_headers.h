/* client_headers: what every call carries: the user's headers, credentials, RequestMetadata. Tokens
 * never reach an error or a debug line. */
#pragma once

#include "client_state.h"

/* Checks and copies the user's headers: RX_EUSAGE names the header, never its value. */
RX_MUST_USE bool client_headers_set(struct client *c, const struct endpoint_header *h, size_t n,
				    struct rx_err *err);
/* Reads the token for the first time; notes tokens that travel in clear. */
RX_MUST_USE bool client_auth_check(struct client *c, struct rx_err *err);
char *client_basic(const char *user_info); /* "Basic dXNlcjpwYXNz" */
void client_secret_free(char *secret);     /* overwritten before; NULL is fine */
