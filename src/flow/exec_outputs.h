/* exec_outputs: the outputs of `remex exec`: declaring them in the action, finding what is missing,
 * bringing them home. */
#pragma once

#include "exec.h"

struct exec_lost {
	struct digest digest;
	const char *what; /* "output 'a.o'", "the action's stdout" */
};

/* Fills the action's output lists from the options; old: also the fields of servers below 2.1
 * (REAPI rule 131). */
void exec_outputs_declare(const struct exec_options *o, struct arena *a, struct action *action,
			  bool old);
/* The first declared, not optional output that the result lacks or has as another kind; NULL when
 * all are there. */
const char *exec_outputs_missing(const struct exec_options *o, struct arena *a,
				 const struct result *r);
/* Writes stdout and stderr to the descriptors (-1: not) and the wanted outputs below out_dir.
 * lost_out: when the server lacks a blob that the result names, which one; nothing was written
 * then. */
RX_MUST_USE bool exec_outputs_fetch(struct client *c, const struct exec_options *o, struct arena *a,
				    struct exec_outcome *out, int stdout_fd, int stderr_fd,
				    const struct exec_lost **lost_out, struct rx_err *err);
/* The hash of a digest as text in the arena. */
const char *exec_outputs_hex(const struct digest *d, struct arena *a);
