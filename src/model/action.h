/* action: what an action IS: command, inputs, outputs, platform, policy. Immutable once built,
 * strings in one arena.
 *
 * Every reader produces it (REAPI bytes, logs, graphs, the command line), every consumer takes it:
 * wire packs it, lint checks it, scrub rewrites it, key digests it, runner runs it. What a source
 * does not know is unknown (NULL, zero digest, TRI_UNKNOWN), never a default. */
#pragma once

#include "directory.h"

enum tristate { TRI_UNKNOWN, TRI_NO, TRI_YES };
enum node_kind { NODE_UNKNOWN, NODE_FILE, NODE_DIRECTORY, NODE_SYMLINK };

struct action_pair {
	const char *name, *value;
};
struct action_input {
	const char *path; /* relative to the execution root */
	enum node_kind kind;
	struct digest digest;
	const char *target;
	enum tristate is_tool, is_executable;
};
struct action_output {
	const char *path;
	enum node_kind kind;
	struct digest digest;
	const char *target;
};
/* Command.OutputDirectoryFormat */
enum output_format {
	OUTPUT_TREE_ONLY = 0,
	OUTPUT_DIRECTORY_ONLY = 1,
	OUTPUT_TREE_AND_DIRECTORY = 2
};

struct action_source {
	const char *file;
	int64_t record; /* from 0; -1 unknown */
	int line;       /* 0 unknown */
};

struct action {
	/* the command */
	const char **argv;
	size_t n_argv;
	struct action_pair *env;
	size_t n_env;
	const char *cwd; /* below the root, "" = the root, NULL unknown */
	struct action_pair *platform;
	size_t n_platform;
	bool has_platform;         /* a set but empty platform is another action than none */
	const char **output_paths; /* REAPI 2.1 and later */
	size_t n_output_paths;
	const char **output_files, **output_directories; /* before 2.1 */
	size_t n_output_files, n_output_directories;
	const char **output_node_properties;
	size_t n_output_node_properties;
	enum output_format output_format;
	struct action_pair *command_platform; /* Command.platform where it differs from the
						 action's; else NULL */
	size_t n_command_platform;
	bool has_command_platform;

	/* the action */
	struct digest command_digest, input_root;
	bool has_timeout;
	int64_t timeout_s;
	int32_t timeout_ns;
	bool do_not_cache;
	struct rx_view salt;

	/* what graphs and logs know */
	struct action_input *inputs;
	size_t n_inputs;
	struct action_output *outputs;
	size_t n_outputs;
	struct action_pair *requirements; /* asked by presence: action_requirement */
	size_t n_requirements;
	const char *mnemonic, *label, *kind, *runner;
	enum tristate is_tool, remotable, cacheable, remote_cacheable, cache_hit;
	bool has_exit_code;
	int exit_code;
	struct digest digest; /* the true action digest */
	unsigned marks;       /* enum directory_mark bits found while reading */
	struct action_source source;
};

/* Sorts and deduplicates what the protocol wants sorted: env, outputs, properties, platform (REAPI
 * rules 13-16). */
void action_canonicalize(struct arena *a, struct action *action);
/* The value of an environment variable or NULL. */
const char *action_env(const struct action *action, const char *name);
const char *action_platform(const struct action *action, const char *name);
/* By presence: the value, perhaps "", or NULL. */
const char *action_requirement(const struct action *action, const char *key);
