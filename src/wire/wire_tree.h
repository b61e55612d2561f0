/* wire_tree: Directory and Tree. */
#pragma once

#include "wire.h"

void wire_directory_pack(const struct directory *d,
			 struct rx_buf *out); /* as given: sort before (directory_sort) */
RX_MUST_USE bool wire_directory_unpack(struct arena *a, struct rx_view bytes,
				       enum digest_function f, struct directory *out,
				       struct rx_err *err);
extern const struct directory_codec wire_directory_codec;

/* A Tree as its records: raw bytes of root and children, so that they can be hashed as received
 * (REAPI rules 21-27). */
struct wire_tree {
	struct rx_view root;
	bool has_root;
	struct rx_view *children;
	size_t n_children;
	unsigned marks;
};
RX_MUST_USE bool wire_tree_unpack(struct arena *a, struct rx_view bytes, struct wire_tree *out,
				  struct rx_err *err);
void wire_tree_pack(const struct wire_tree *t, struct rx_buf *out);
/* Records form a topologically sorted Tree (REAPI rules 25-27): RX_EPARSE says which record is
 * wrong. */
RX_MUST_USE bool wire_tree_check_sorted(const struct wire_tree *t, enum digest_function f,
					struct rx_err *err);
/* Every directory that root reaches is there, by digest: RX_EPARSE names the missing one. */
RX_MUST_USE bool wire_tree_check_complete(const struct wire_tree *t, enum digest_function f,
					  struct rx_err *err);
