/* pem: TLS key material from files, checked enough that a wrong file is named before gRPC fails
 * every handshake with it; private to this room. */
#pragma once

#include "err.h"

#define PEM_MAX_BYTES    (8u << 20)
#define PEM_SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

enum pem_kind { PEM_CERTIFICATE, PEM_PRIVATE_KEY };
/* The file's text, the caller's to free with pem_free. RX_EUSAGE naming the file otherwise. `what`
 * says what it is for: "CA certificates". */
RX_MUST_USE bool pem_read(const char *path, const char *what, enum pem_kind kind, char **out,
			  struct rx_err *err);
/* Both or none of certificate and key. */
RX_MUST_USE bool pem_read_pair(const char *cert, const char *key, char **cert_out, char **key_out,
			       struct rx_err *err);
void pem_freep(char **pem); /* clears it first; for RX_CLEANUP */
