/* merkle: a tree of nodes becomes Directory messages: digests from the bottom up, and the messages
 * of a tree in topological order. */
#pragma once

#include "node.h"
#include "source.h"

struct merkle {
	const struct directory_codec *codec;
	enum digest_function function;
	struct blob_sink *sink; /* takes every Directory but the empty one; may be NULL */
	struct arena *keep;     /* where messages are kept for merkle_records; NULL: they are not */
	/* internal */
	struct rx_map records; /* digest -> struct rx_view */
	struct rx_buf bytes, path;
	struct directory scratch;
	size_t cap_files, cap_dirs, cap_links;
};
void merkle_release(struct merkle *m);

/* Sorts the tree below dir and sets the digest of each directory. Files must have theirs. */
RX_MUST_USE bool merkle_encode(struct merkle *m, struct node *dir, struct rx_err *err);
/* The messages of an encoded tree: the root first, each once, parents before their children (REAPI
 * rule 25). The array lies in `keep`. */
struct rx_view *merkle_records(struct merkle *m, const struct node *root, size_t *n_out);
