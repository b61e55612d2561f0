/* wire_action: Command, Action and Platform of `struct action`. */
#pragma once

#include "wire.h"

/* Which output fields a Command carries (REAPI rule 131). */
enum wire_outputs { WIRE_OUTPUT_PATHS, WIRE_OUTPUT_BOTH, WIRE_OUTPUT_AS_IS };
/* WIRE_OUTPUT_AS_IS writes the lists the action has. WIRE_OUTPUT_BOTH writes output_paths and, for
 * servers below 2.1, output_files for paths of output_files and output_directories for those of
 * output_directories. Lists are written in the order given: call action_canonicalize before.
 * Without AS_IS, output_paths has the paths of all three lists, and the command gets the action's
 * platform when it has none of its own (REAPI rule 145). */
void wire_command_pack(const struct action *a, enum wire_outputs outputs, struct rx_buf *out);
/* command_digest and input_root must be set. */
void wire_action_pack(const struct action *a, struct rx_buf *out);
/* Each fills its part of out and leaves the rest. marks are added to. The digests of an Action are
 * of out->digest.function when that is set, else told by length. */
RX_MUST_USE bool wire_command_unpack(struct arena *a, struct rx_view bytes, struct action *out,
				     struct rx_err *err);
RX_MUST_USE bool wire_action_unpack(struct arena *a, struct rx_view bytes, struct action *out,
				    struct rx_err *err);
