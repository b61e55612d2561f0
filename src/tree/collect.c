/* collect: each declared output is scanned beneath the root; directories become Trees and Directory
 * blobs. */
#include "collect.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "file.h"
#include "merkle.h"
#include "reach.h"
#include "scan.h"
#include "walk.h"

enum expected { ANY, A_FILE, A_DIRECTORY };
struct declared {
	const char *path; /* as the action has it */
	char *local;      /* relative to the root */
	struct node *holder;
	struct node *found; /* NULL: it is not there */
	enum expected expected;
};
struct collect {
	const struct collect_options *o;
	struct node_tree tree;
	struct scan *scan;
	struct blob_sink *sink;
	struct arena *a;
	struct declared *v;
	size_t n;
	struct rx_map seen; /* paths */
};

static void collect_release(struct collect *c)
{
	scan_free(c->scan); /* first: its tasks use the tree */
	node_tree_release(&c->tree);
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].local);
	free(c->v);
	rx_map_release(&c->seen);
}

static bool read_properties(const struct collect_options *o, struct scan_options *scan,
			    struct rx_err *err)
{
	for (size_t i = 0; i < o->n_node_properties; i++) {
		const char *name = o->node_properties[i];

		if (strcmp(name, "unix_mode") == 0)
			scan->want_mode = true;
		else if (strcmp(name, "mtime") == 0)
			scan->want_mtime = true;
		else /* REAPI rule 143 */
			return rx_fail(err, RX_EPARSE,
				       "the node property '%s' is not known: unix_mode and mtime "
				       "can be asked for",
				       name);
	}
	return true;
}

static bool collect_init(struct collect *c, const struct collect_options *o,
			 const struct action *action, struct blob_sink *sink, struct arena *a,
			 struct rx_err *err)
{
	size_t n = o->old_fields ? action->n_output_files + action->n_output_directories
				 : action->n_output_paths;
	struct scan_options scan = {
		.dirfd = o->root_fd,
		.confined = true,
		.links_stay = !o->allow_absolute_links,
		.function = o->function,
		.pool = o->pool,
		.sink = sink,
		.keep_bytes = WALK_KEEP_BYTES,
		.max_bytes = o->max_bytes,
	};

	if (!digest_function_supported(o->function))
		return rx_fail(err, RX_EUSAGE, "digests of function %s cannot be computed",
			       digest_function_name(o->function));
	if (!read_properties(o, &scan, err))
		return false;
	c->o = o;
	c->sink = sink;
	c->a = a;
	node_tree_init(&c->tree, RX_EPARSE);
	c->scan = scan_new(&scan, &c->tree);
	c->v = xcalloc(n + 1, sizeof(*c->v));
	return true;
}

static bool declare(struct collect *c, const char *path, enum expected expected, struct rx_err *err)
{
	const char *cwd = c->o->cwd ? c->o->cwd : "";
	struct declared *d = &c->v[c->n];
	RX_CLEANUP(xfreep) char *local = NULL;

	/* REAPI rule 132 */
	local = !*path && expected == A_DIRECTORY ? xstrdup(cwd) : path_below(cwd, path);
	if (!local)
		return rx_fail(err, RX_EPARSE,
			       "the output path '%s' leads out of the root, or has '.' or empty "
			       "parts",
			       node_show_text(&c->tree, path));
	if (*path && !rx_map_put(&c->seen, path, strlen(path), NULL) && expected == ANY)
		return true;
	*d = (struct declared){ .path = path, .expected = expected };
	d->local = xstrdup(*local ? local : ".");
	c->n++;
	return true;
}

static bool declare_all(struct collect *c, const struct action *action, struct rx_err *err)
{
	const char *cwd = c->o->cwd;

	if (cwd && *cwd && !path_is_relative_clean(cwd))
		return rx_fail(err, RX_EPARSE, "the working directory '%s' is not a clean path",
			       node_show_text(&c->tree, cwd));
	if (!c->o->old_fields) {
		for (size_t i = 0; i < action->n_output_paths; i++)
			if (!declare(c, action->output_paths[i], ANY, err))
				return false;
		return true;
	}
	for (size_t i = 0; i < action->n_output_files; i++)
		if (!declare(c, action->output_files[i], A_FILE, err))
			return false;
	for (size_t i = 0; i < action->n_output_directories; i++)
		if (!declare(c, action->output_directories[i], A_DIRECTORY, err))
			return false;
	return true;
}

/* REAPI rule 138. A link counts as what it leads to; one that leads nowhere is let pass. */
static bool check_kind(struct collect *c, const struct declared *d, struct rx_err *err)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	RX_CLEANUP(file_close) int fd = -1;
	enum node_kind kind = d->found->kind;
	struct stat st;

	if (d->expected == ANY)
		return true;
	if (kind == NODE_SYMLINK) {
		if (!reach_stat(c->o->root_fd, d->local, true, true, &st, &fd, &ignored))
			return true;
		kind = S_ISDIR(st.st_mode) ? NODE_DIRECTORY : NODE_FILE;
	}
	if (d->expected == A_FILE && kind == NODE_DIRECTORY)
		return rx_fail(err, RX_EPARSE,
			       "'%s' was declared in output_files and is a directory",
			       node_show_text(&c->tree, d->path));
	if (d->expected == A_DIRECTORY && kind != NODE_DIRECTORY)
		return rx_fail(err, RX_EPARSE,
			       "'%s' was declared in output_directories and is a %s",
			       node_show_text(&c->tree, d->path), node_kind_name(kind));
	return true;
}

static bool scan_one(struct collect *c, struct declared *d, struct rx_err *err)
{
	const char *slash = strrchr(d->local, '/');
	const char *name = arena_str(&c->tree.arena, slash ? slash + 1 : d->local);

	d->holder = node_root(&c->tree);
	if (strcmp(d->local, ".") == 0) {
		if (!scan_directory(c->scan, d->holder, ".", err))
			return false;
		d->found = d->holder;
		return true;
	}
	switch (scan_add(c->scan, d->holder, name, d->local, err)) {
	case SCAN_FAILED:
		return false;
	case SCAN_ABSENT: /* REAPI rule 136 */
		return true;
	case SCAN_FOUND:
		break;
	}
	d->found = d->holder->dir->kids[0];
	return check_kind(c, d, err);
}

static bool put_tree(struct collect *c, const struct rx_view *records, size_t n, const char *name,
		     struct digest *out, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = LIMIT_TREE_BYTES };
	struct blob blob;

	c->o->tree_pack(records, n, &bytes);
	if (bytes.full)
		return rx_fail(err, RX_ELIMIT, "the Tree of '%s' is larger than %u bytes",
			       node_show_text(&c->tree, name), LIMIT_TREE_BYTES);
	digest_of_view(c->o->function, rx_view_of(&bytes), out);
	blob = (struct blob){
		.digest = *out, .bytes = rx_view_of(&bytes), .dirfd = -1, .name = name
	};
	return !c->sink || c->sink->put(c->sink, &blob, err);
}

/* REAPI rules 25 and 139. */
static bool encode(struct collect *c, const struct declared *d, struct result_output *out,
		   struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	enum output_format format = c->o->format;
	bool want_directories =
		format == OUTPUT_DIRECTORY_ONLY || format == OUTPUT_TREE_AND_DIRECTORY;
	bool want_tree = format != OUTPUT_DIRECTORY_ONLY;
	RX_CLEANUP(merkle_release)
	struct merkle merkle = { .codec = c->o->codec,
				 .function = c->o->function,
				 .sink = want_directories ? c->sink : NULL,
				 .keep = want_tree ? &scratch : NULL };
	struct rx_view *records;
	size_t n;

	if (!merkle_encode(&merkle, d->found, err))
		return false;
	if (want_directories)
		out->digest = d->found->digest;
	if (!want_tree)
		return true;
	records = merkle_records(&merkle, d->found, &n);
	out->topological = true;
	return put_tree(c, records, n, d->path, &out->tree_digest, err);
}

static bool describe(struct collect *c, const struct declared *d, struct result_output *out,
		     struct rx_err *err)
{
	const struct node *n = d->found;

	*out = (struct result_output){ .path = arena_str(c->a, d->path), .kind = n->kind };
	if (n->props)
		out->props = *n->props;
	switch (n->kind) {
	case NODE_FILE:
		out->digest = n->digest;
		out->is_executable = n->is_executable;
		return true;
	case NODE_SYMLINK:
		out->target = arena_str(c->a, n->target);
		return true;
	case NODE_DIRECTORY:
		out->props = (struct node_properties){ 0 }; /* they are in its message */
		return encode(c, d, out, err);
	case NODE_UNKNOWN:
		break;
	}
	return rx_fail(err, RX_EPARSE, "'%s' is of unknown kind",
		       node_show_text(&c->tree, d->path));
}

static bool collect_all(struct collect *c, struct result *out, struct rx_err *err)
{
	struct result_output *outputs;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (!scan_one(c, &c->v[i], err))
			return false;
	if (!scan_finish(c->scan, err))
		return false;
	outputs = ARENA_ARRAY(c->a, struct result_output, c->n);
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].found && !describe(c, &c->v[i], &outputs[n++], err))
			return false;
	}
	out->outputs = outputs;
	out->n_outputs = n;
	result_sort(out);
	return true;
}

bool collect_outputs(const struct collect_options *o, const struct action *action,
		     struct blob_sink *sink, struct arena *a, struct result *out,
		     struct rx_err *err)
{
	RX_CLEANUP(collect_release) struct collect c = { 0 };
	bool ok = collect_init(&c, o, action, sink, a, err) && declare_all(&c, action, err) &&
		  collect_all(&c, out, err);

	/* A path that leads out of the root, or round in circles, is the action's doing. */
	if (!ok && (err->code == RX_EUSAGE || err->sys_errno == ELOOP))
		err->code = RX_EPARSE;
	return ok;
}
