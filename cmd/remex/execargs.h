/* execargs: the words of a `remex exec` command line become flow's exec_options. */
#pragma once

#include "connection.h"
#include "exec.h"
#include "pattern.h"

struct exec_args {
	const char *root, *cwd, *out_dir, *input_root, *result_file, *salt, *download;
	struct opt_list inputs, input_lists, maps, virtuals, excludes;
	struct opt_list outputs, optional_outputs, output_lists;
	struct opt_list env, platform;
	int symlinks, strategy; /* enum walk_symlinks, enum exec_strategy */
	int64_t timeout_ms;
	int32_t priority;
	bool do_not_cache, no_cache_lookup, require_cached, upload_only, dry_run;
	struct connection connection;
	/* what options below point into */
	struct digest input_root_digest;
	struct pattern_list {
		const struct pattern **v;
		size_t n;
	} patterns;
	struct pattern *download_match;
};
/* Everything that can be wrong with the command line is found here, before anything is started.
 * out's strings live in the arena, the arguments or the command line. */
RX_MUST_USE bool execargs_options(struct exec_args *args, const struct opt_list *command,
				  struct arena *a, struct exec_options *out, struct rx_err *err);
void execargs_release(struct exec_args *args);

/* --exclude, for other commands too. The list is released by execargs_release_patterns. */
RX_MUST_USE bool execargs_patterns(const struct opt_list *regexes, struct pattern_list *out,
				   struct rx_err *err);
void execargs_release_patterns(struct pattern_list *l);
extern const struct opt_choice execargs_symlinks[];
