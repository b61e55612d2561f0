/* worker: one action on this machine, from digests to a result: materialise, run, collect. Used by
 * the embedded server and by `exec --strategy local`. */
#pragma once

#include "result.h"
#include "runner.h"
#include "source.h"
#include "pool.h"

struct worker_options {
	struct runner *runner;
	struct pool *pool;
	const char *scratch_dir; /* action directories are made and removed here */
	struct blob_source *inputs;
	struct blob_sink *outputs;
	enum digest_function function;
	const char *name;                           /* ActionResult's worker */
	int64_t default_timeout_ms, max_timeout_ms; /* 0 = none */
	const char *search_path;
};
enum worker_end {
	WORKER_DONE,
	WORKER_TIMED_OUT,
	WORKER_MISSING_INPUTS,
	WORKER_CANCELLED,
	WORKER_REFUSED
};
struct worker_outcome {
	enum worker_end how;
	struct result result;       /* DONE and TIMED_OUT (partial) */
	struct digest_list missing; /* MISSING_INPUTS; the caller releases it */
	int grpc_code;              /* REFUSED: INVALID_ARGUMENT or FAILED_PRECONDITION, and why */
	const char *why;
	struct runner_result run;
};
/* action must have been read completely (command and action parts). stdout and stderr go to outputs
 * as blobs, small ones also raw. on_executing (may be NULL) is called when inputs are there and the
 * process starts. */
RX_MUST_USE bool worker_run(const struct worker_options *o, const struct action *action,
			    const volatile bool *cancel, void (*on_executing)(void *ctx), void *ctx,
			    struct arena *a, struct worker_outcome *out, struct rx_err *err);
/* Reads and checks an action by digest: WORKER_MISSING_INPUTS lists what is absent among Action,
 * Command and all Directories and files; WORKER_REFUSED what is malformed or not canonical (REAPI
 * rules 17, 110, 117). */
RX_MUST_USE bool worker_load(struct blob_source *inputs, const struct digest *digest,
			     struct arena *a, struct action *action, struct worker_outcome *out,
			     struct rx_err *err);
/* What results of this machine depend on that actions do not declare: os-release, package state,
 * architecture, sandbox mode. A short hex string. */
void worker_host_space(enum runner_sandbox kind, char out[65]);
