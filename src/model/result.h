/* result: what an action left behind: REAPI's ActionResult, with old and new fields folded into one
 * list. */
#pragma once

#include "action.h"

struct result_output {
	const char *path; /* relative to the action's working directory, clean but for leading ".."
			     parts (marked) */
	enum node_kind kind;
	struct digest digest;      /* file: content; directory: root Directory when known */
	struct digest tree_digest; /* directory: Tree when known */
	bool topological;          /* directory: is_topologically_sorted */
	const char *target;        /* symlink */
	bool is_executable;
	struct rx_view contents; /* inlined file, empty = not */
	struct node_properties props;
};
/* Nanoseconds since 1970, 0 = unknown. */
struct result_times {
	int64_t queued, worker_start, worker_completed, input_start, input_completed,
		execution_start, execution_completed, output_start, output_completed;
};
struct result {
	struct result_output *outputs; /* each path once (REAPI rule 137) */
	size_t n_outputs;
	int exit_code;
	struct rx_view stdout_raw, stderr_raw;
	struct digest stdout_digest, stderr_digest; /* unset = none */
	const char *worker;
	struct result_times times;
	unsigned marks; /* MARK_OUTPUT_PATH: an output is beside the working directory */
};
const struct result_output *result_find(const struct result *r, const char *path);
void result_sort(struct result *r); /* by path */
