/* node: a tree of files, directories and symlinks in memory: what walk and collect find on disk and
 * what materialise is told to make.
 *
 * Nodes, names and paths live in the tree's arena. A tree is built by one thread; other threads may
 * fill in the nodes they were given. */
#pragma once

#include "action.h"
#include "limit.h"
#include "map.h"

struct node {
	struct node *parent; /* NULL: the root */
	const char *name;
	const char *local;  /* where it is on disk; NULL: the parent's local and its name */
	const char *target; /* of a symlink */
	struct node_properties *props; /* NULL: none */
	struct node_dir *dir;          /* of a directory, else NULL */
	struct node *next;             /* in a list of the tree's user */
	void *data;                    /* of the tree's user */
	struct digest digest;
	enum node_kind kind;
	bool is_executable;
	bool known; /* the digest is there */
};
struct node_dir {
	struct node **kids; /* canonical once node_sort ran: directories count as "name/" */
	size_t n, cap;
	unsigned depth;
	bool indexed;
	struct rx_map index; /* of kids by name, made when they are many and one is looked for */
	struct node_dir *next_indexed;
	uint64_t dev, ino; /* of the directory read, to see symlink cycles */
	bool has_id;
};
struct node_tree {
	struct arena arena;
	struct node *root;
	enum rx_code code; /* of errors about names and kinds: whose fault they are */
	size_t n;
	struct node_dir *indexed;
};

void node_tree_init(struct node_tree *t, enum rx_code code);
void node_tree_release(struct node_tree *t);

/* A directory that is a root of its own, in the same arena. */
struct node *node_root(struct node_tree *t);
/* Adds a child without looking whether the name is taken. name is kept, it must outlive the tree.
 * NULL when the name cannot be one (REAPI rule 10), or a limit is passed. */
struct node *node_add(struct node_tree *t, struct node *dir, const char *name, enum node_kind kind,
		      struct rx_err *err);
/* A node of its own that hangs nowhere: a second claim on a taken name. */
struct node *node_apart(struct node_tree *t, struct node *dir, const char *name,
			enum node_kind kind);
struct node *node_find(struct node_tree *t, struct node *dir, const char *name, size_t n);
/* The directory at a clean path below dir ("" = dir itself), made when absent; NULL when a file or
 * link is in the way. */
struct node *node_mkdirs(struct node_tree *t, struct node *dir, const char *path, size_t n,
			 struct rx_err *err);
/* Sorts the children, so that going down in order visits paths in the order of their bytes. */
void node_sort(struct node *dir);
void node_add_path(const struct node *n, struct rx_buf *out); /* relative to its root */
/* For messages: the path with control characters escaped, in the tree's arena. */
const char *node_show(struct node_tree *t, const struct node *n);
const char *node_show_text(struct node_tree *t, const char *path);
const char *node_kind_name(enum node_kind k);
