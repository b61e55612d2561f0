/* serve: what `remex serve` does, without printing: claims the service's place, runs the server
 * until a signal. */
#pragma once

#include "runner.h"
#include "err.h"

struct serve_options {
	const char *listen; /* "unix:///path" or "HOST:PORT"; NULL = the embedded place */
	const char *dir;
	unsigned max_actions;
	int64_t max_size;
	enum runner_sandbox sandbox;
	bool read_only, insecure;
	const char *tls_cert, *tls_key, *tls_client_ca;
	int64_t idle_ms; /* 0 = never */
	bool on_demand;  /* started by embedded_ensure */
	/* once it listens */
	void (*ready)(void *ctx, const char *url, bool execution, const char *note);
	void *ctx;
};
RX_MUST_USE bool serve_run(const struct serve_options *o, struct rx_err *err);
