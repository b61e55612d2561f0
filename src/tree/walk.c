/* walk: inputs are put into one tree, scanned, encoded and listed. */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "file.h"
#include "merkle.h"
#include "scan.h"

struct walk {
	const struct walk_options *o;
	struct node_tree tree;
	struct scan *scan;
	struct merkle merkle;
	struct blob_sink *sink;
	struct arena *a; /* of the result */
};

static void walk_release(struct walk *w)
{
	scan_free(w->scan); /* first: its tasks use the tree */
	merkle_release(&w->merkle);
	node_tree_release(&w->tree);
}

static bool walk_init(struct walk *w, const struct walk_options *o, struct blob_sink *sink,
		      struct arena *a, struct rx_err *err)
{
	struct scan_options scan = {
		.dirfd = AT_FDCWD,
		.resolve = o->symlinks == WALK_RESOLVE,
		.excludes = o->excludes,
		.n_excludes = o->n_excludes,
		.function = o->function,
		.pool = o->pool,
		.sink = sink,
		.keep_bytes = o->keep_bytes,
	};

	if (!digest_function_supported(o->function))
		return rx_fail(err, RX_EUSAGE, "digests of function %s cannot be computed",
			       digest_function_name(o->function));
	w->o = o;
	w->sink = sink;
	w->a = a;
	node_tree_init(&w->tree, RX_EUSAGE);
	w->scan = scan_new(&scan, &w->tree);
	w->merkle = (struct merkle){ .codec = o->codec,
				     .function = o->function,
				     .sink = sink,
				     .keep = o->want_tree ? a : NULL };
	return true;
}

/* What messages and opens use: "src/a.c" rather than "./src/a.c". */
static char *local_of(const struct walk *w, const char *local)
{
	const char *root = w->o->root_dir;

	if (local[0] == '/' || !root || !*root || strcmp(root, ".") == 0)
		return xstrdup(*local ? local : ".");
	if (!*local || strcmp(local, ".") == 0)
		return xstrdup(root);
	return path_join(root, local);
}

static bool add_on_disk(struct walk *w, const struct walk_input *in, struct node *dir,
			const char *name, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *local = local_of(w, in->local);

	if (!*in->remote)
		return scan_directory(w->scan, w->tree.root, local, err);
	switch (scan_add(w->scan, dir, name, local, err)) {
	case SCAN_FOUND:
		return true;
	case SCAN_ABSENT:
		return rx_fail(err, RX_ENOENT, "input '%s' is not there",
			       node_show_text(&w->tree, local));
	case SCAN_FAILED:
		break;
	}
	return false;
}

static bool add_input(struct walk *w, const struct walk_input *in, struct rx_err *err)
{
	const char *slash = strrchr(in->remote, '/');
	const char *name = slash ? slash + 1 : in->remote;
	struct node *dir;

	if (*in->remote && !path_is_relative_clean(in->remote))
		return rx_fail(err, RX_EUSAGE,
			       "'%s' is not a path in the input root: relative, without '.', '..' "
			       "and empty parts",
			       node_show_text(&w->tree, in->remote));
	if (in->empty_dir)
		return node_mkdirs(&w->tree, w->tree.root, in->remote, strlen(in->remote), err) !=
		       NULL;
	dir = node_mkdirs(&w->tree, w->tree.root, in->remote,
			  slash ? (size_t)(slash - in->remote) : 0, err);
	if (!dir)
		return false;
	name = arena_str(&w->tree.arena, name);
	if (in->local)
		return add_on_disk(w, in, dir, name, err);
	if (!*in->remote)
		return rx_fail(err, RX_EUSAGE, "a text needs a path in the input root");
	return scan_text(w->scan, dir, name, (struct rx_view){ in->text, in->text_len },
			 in->executable, err);
}

static void count(struct walk *w, const struct node *dir, struct walk_result *r)
{
	for (size_t i = 0; i < dir->dir->n; i++) {
		const struct node *kid = dir->dir->kids[i];

		if (kid->kind == NODE_FILE) {
			r->files++;
			r->bytes += kid->digest.size;
		} else if (kid->kind == NODE_SYMLINK) {
			r->symlinks++;
			if (!r->absolute_link && kid->target[0] == '/')
				r->absolute_link = arena_str(w->a, node_show(&w->tree, kid));
		} else {
			r->directories++;
			count(w, kid, r);
		}
	}
}

/* Children are in the order of their paths' bytes (node_sort), so this needs no sorting. */
static void list_inputs(struct walk *w, const struct node *dir, struct rx_buf *path,
			struct walk_result *r)
{
	size_t base = path->n;

	for (size_t i = 0; i < dir->dir->n; i++) {
		const struct node *kid = dir->dir->kids[i];

		path->n = base;
		rx_buf_add_str(path, kid->name);
		if (kid->dir) {
			rx_buf_add_char(path, '/');
			list_inputs(w, kid, path, r);
			continue;
		}
		r->inputs[r->n_inputs++] = (struct action_input){
			.path = arena_strn(w->a, path->p, path->n),
			.kind = kid->kind,
			.digest = kid->digest,
			.target = arena_str(w->a, kid->target),
			.is_executable = kid->kind != NODE_FILE ? TRI_UNKNOWN
					 : kid->is_executable   ? TRI_YES
								: TRI_NO,
		};
	}
}

static bool finish(struct walk *w, struct walk_result *out, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf path = { .max = RX_BUF_NO_MAX };
	struct walk_result r = { 0 };

	if (!scan_finish(w->scan, err) || !merkle_encode(&w->merkle, w->tree.root, err))
		return false;
	r.root = w->tree.root->digest;
	if (w->o->want_tree)
		r.tree = merkle_records(&w->merkle, w->tree.root, &r.n_tree);
	count(w, w->tree.root, &r);
	if (!w->o->no_inputs) {
		r.inputs = ARENA_ARRAY(w->a, struct action_input, r.files + r.symlinks);
		list_inputs(w, w->tree.root, &path, &r);
	}
	*out = r;
	return true;
}

bool walk_run(const struct walk_options *o, const struct walk_input *inputs, size_t n,
	      struct blob_sink *sink, struct arena *a, struct walk_result *out, struct rx_err *err)
{
	RX_CLEANUP(walk_release) struct walk w = { 0 };

	if (!walk_init(&w, o, sink, a, err))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!add_input(&w, &inputs[i], err))
			return false;
	return finish(&w, out, err);
}

static bool one_file(struct walk *w, const char *local, const char *path, struct walk_result *out,
		     struct rx_err *err)
{
	struct node *file = node_apart(&w->tree, w->tree.root, "", NODE_FILE);
	struct walk_result r = { 0 };

	if (!scan_file(w->scan, file, local, err) || !scan_finish(w->scan, err))
		return false;
	r.root = file->digest;
	r.files = 1;
	r.bytes = file->digest.size;
	r.inputs = ARENA_NEW(w->a, struct action_input);
	r.n_inputs = 1;
	*r.inputs =
		(struct action_input){ .path = arena_str(w->a, path),
				       .kind = NODE_FILE,
				       .digest = file->digest,
				       .is_executable = file->is_executable ? TRI_YES : TRI_NO };
	*out = r;
	return true;
}

bool walk_path(const struct walk_options *o, const char *path, struct blob_sink *sink,
	       struct arena *a, enum node_kind *kind_out, struct walk_result *out,
	       struct rx_err *err)
{
	RX_CLEANUP(walk_release) struct walk w = { 0 };
	RX_CLEANUP(xfreep) char *local = NULL;
	RX_CLEANUP(xfreep) char *real = NULL;
	struct stat st;
	int r;

	if (!walk_init(&w, o, sink, a, err))
		return false;
	local = local_of(&w, path);
	do
		r = stat(local, &st);
	while (r != 0 && errno == EINTR);
	if (r != 0)
		return rx_fail_errno(err, "'%s'", node_show_text(&w.tree, local));
	if (S_ISDIR(st.st_mode)) {
		if (!scan_directory(w.scan, w.tree.root, local, err) || !finish(&w, out, err))
			return false;
		*kind_out = NODE_DIRECTORY;
		return true;
	}
	if (!S_ISREG(st.st_mode))
		return rx_fail(err, RX_EUSAGE,
			       "'%s' is neither a file nor a directory: it cannot be stored",
			       node_show_text(&w.tree, local));
	/* The argument itself is followed when it is a link: a link has no digest of its own. */
	real = realpath(local, NULL);
	if (!real)
		return rx_fail_errno(err, "'%s'", node_show_text(&w.tree, local));
	if (!one_file(&w, lstat(local, &st) == 0 && S_ISLNK(st.st_mode) ? real : local, path, out,
		      err))
		return false;
	*kind_out = NODE_FILE;
	return true;
}
