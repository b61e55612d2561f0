/* wire_result: ActionResult. */
#pragma once

#include "wire.h"

enum wire_links {
	WIRE_LINKS_NEW = 1,
	WIRE_LINKS_OLD = 2
}; /* output_symlinks; output_file_symlinks (old) */
void wire_result_pack(const struct result *r, unsigned links, struct rx_buf *out);
/* Paths that are absolute or not clean are refused, those that begin with ".." parts marked: a
 * client refuses the mark (REAPI rule 144). A path named twice with equal content is folded (rule
 * 137), with different content refused. */
RX_MUST_USE bool wire_result_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
				    struct result *out, struct rx_err *err);
