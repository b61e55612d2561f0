/* exec: what `remex exec` does: inputs -> digests -> cache -> upload -> run -> outputs, without
 * printing. */
#pragma once

#include "client.h"
#include "execution.h"
#include "walk.h"
#include "runner.h"

enum exec_strategy { EXEC_REMOTE, EXEC_LOCAL };
enum exec_download { EXEC_DOWNLOAD_ALL, EXEC_DOWNLOAD_NONE, EXEC_DOWNLOAD_MATCH };

struct exec_options {
	enum digest_function function; /* of a dry run, which asks no server; UNKNOWN = SHA256 */
	struct pool *pool;
	const char *root, *cwd;
	const struct walk_input *inputs;
	size_t n_inputs;
	enum walk_symlinks symlinks;
	const struct pattern *const *excludes;
	size_t n_excludes;
	const struct digest *input_root; /* already in the CAS; then no inputs */
	const char *const *argv;
	size_t n_argv;
	const struct action_pair *env, *platform;
	size_t n_env, n_platform;
	const char *const *outputs; /* as given: a trailing "/" = must be a directory */
	const bool *output_optional;
	size_t n_outputs;
	enum exec_download download;
	const struct pattern *download_match;
	const char *out_dir; /* NULL = root */
	int64_t timeout_ms;
	int32_t priority;
	const char *salt;
	bool do_not_cache, no_cache_lookup, require_cached, upload_only, dry_run;
	enum exec_strategy strategy;
	struct runner *runner; /* for EXEC_LOCAL */
	const char *scratch_dir;
};
struct exec_events {
	void (*stage)(void *ctx, const char *stage); /* "walk", "lookup", "upload", "queued",
							"executing", "download" */
	void *ctx;
};
#define EXEC_OUTPUT_KEEP (64 << 10)
enum exec_end {
	EXEC_FINISHED,   /* exit_code is the action's */
	EXEC_NOT_CACHED, /* --require-cached */
	EXEC_TIMED_OUT,
	EXEC_UPLOADED,       /* --upload-only */
	EXEC_PLANNED,        /* --dry-run */
	EXEC_OUTPUT_MISSING, /* a declared output is missing after exit 0 */
	EXEC_FAILED          /* the server could not run it: status */
};
struct exec_stage_time {
	const char *name;
	int64_t ns;
};
struct exec_outcome {
	enum exec_end how;
	int exit_code;
	bool cached;
	struct digest action_digest, command_digest, input_root;
	size_t n_inputs;
	int64_t input_bytes;
	struct result result;
	struct rx_view stdout_bytes, stderr_bytes; /* fetched, at most EXEC_OUTPUT_KEEP */
	struct exec_stage_time stages[16];
	size_t n_stages;
	int64_t uploaded_bytes, downloaded_bytes;
	const char *missing_output;  /* EXEC_OUTPUT_MISSING */
	struct wire_status status;   /* EXEC_FAILED */
	const char *message;         /* the server's */
	const struct wire_log *logs; /* the server's, on failure (REAPI rule 130) */
	size_t n_logs;
	unsigned executes; /* how many Execute calls it took */
};
/* c may be NULL for a dry run. stdout_fd, stderr_fd: where the action's own output is written in
 * full (-1 = not). */
RX_MUST_USE bool exec_run(struct client *c, const struct exec_options *o,
			  const struct exec_events *ev, int stdout_fd, int stderr_fd,
			  struct arena *a, struct exec_outcome *out, struct rx_err *err);
