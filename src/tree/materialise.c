/* materialise: what is to be made is gathered into one tree; trees are read level by level. */
#include "materialise.h"

#include "file.h"
#include "log.h"
#include "place.h"

struct materialise *materialise_new(const struct materialise_options *o)
{
	struct materialise *m = xcalloc(1, sizeof(*m));

	m->o = *o;
	m->target_fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	node_tree_init(&m->tree, RX_EPARSE);
	if (o->target_dir)
		m->o.target_dir = arena_str(&m->tree.arena, o->target_dir);
	return m;
}

void materialise_free(struct materialise *m)
{
	if (!m)
		return;
	place_release(m);
	node_tree_release(&m->tree);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* Takes out what nobody wants; the depth is that of a tree, LIMIT_TREE_DEPTH. */
static bool keep_wanted(struct materialise *m, struct node *dir, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf path = { .max = LIMIT_PATH_BYTES };
	size_t kept = 0;

	for (size_t i = 0; i < dir->dir->n; i++) {
		struct node *kid = dir->dir->kids[i];
		bool yes = false;

		if (kid->kind == NODE_DIRECTORY) {
			if (!keep_wanted(m, kid, err))
				return false;
			yes = kid->dir->n > 0;
		} else {
			rx_buf_reset(&path);
			node_add_path(kid, &path);
			if (!m->o.want(m->o.want_ctx, rx_buf_str(&path), &yes, err))
				return false;
		}
		if (yes)
			dir->dir->kids[kept++] = kid;
	}
	dir->dir->n = kept;
	return true;
}

bool materialise_run(struct materialise *m, struct blob_source *source, struct digest_list *missing,
		     struct materialise_stats *stats, struct rx_err *err)
{
	if (m->o.want && !keep_wanted(m, m->tree.root, err))
		return false;
	if (!place_run(m, source, missing, err))
		return false;
	*stats = m->stats;
	return true;
}

/* ---- single entries ---- */

/* REAPI rule 144. "" is the target itself. */
static bool check_path(struct materialise *m, const char *path, struct rx_err *err)
{
	size_t n = strlen(path);

	if (n > LIMIT_PATH_BYTES)
		return rx_fail(err, RX_ELIMIT, "a path of %zu bytes is longer than the limit of %d",
			       n, LIMIT_PATH_BYTES);
	return n == 0 || path_is_relative_clean(path) ||
	       rx_fail(err, RX_EPARSE,
		       "the path '%s' could leave the target directory: only relative paths "
		       "without '.', '..' and empty parts are taken",
		       node_show_text(&m->tree, path));
}

static bool parent_of(struct materialise *m, const char *path, struct node **dir_out,
		      const char **name_out, struct rx_err *err)
{
	const char *slash = strrchr(path, '/');

	if (!check_path(m, path, err))
		return false;
	if (!*path)
		return rx_fail(err, RX_EPARSE, "a file or link without a path");
	*dir_out =
		node_mkdirs(&m->tree, m->tree.root, path, slash ? (size_t)(slash - path) : 0, err);
	*name_out = arena_str(&m->tree.arena, slash ? slash + 1 : path);
	return *dir_out != NULL;
}

static bool computable(unsigned function, struct rx_err *err)
{
	return digest_function_supported((enum digest_function)function) ||
	       rx_fail(err, RX_EDIGEST, "digests of function %s cannot be checked",
		       digest_function_name((enum digest_function)function));
}

static bool same_leaf(const struct node *n, enum node_kind kind, const struct digest *d,
		      bool executable, const char *target)
{
	if (n->kind != kind)
		return false;
	return kind == NODE_SYMLINK ? strcmp(n->target, target) == 0
				    : digest_eq(&n->digest, d) && n->is_executable == executable;
}

/* A file or link; one that is there already must be the same. */
static bool add_leaf(struct materialise *m, struct node *dir, const char *name, enum node_kind kind,
		     const struct digest *d, bool executable, const char *target, bool look,
		     struct node **out, struct rx_err *err)
{
	struct node *n = look ? node_find(&m->tree, dir, name, strlen(name)) : NULL;

	if (n) {
		if (!same_leaf(n, kind, d, executable, target))
			return rx_fail(err, RX_EPARSE, "'%s' is asked to be two different things",
				       node_show(&m->tree, n));
		*out = n;
		return true;
	}
	if (kind == NODE_FILE && (__builtin_add_overflow(m->bytes, d->size, &m->bytes) ||
				  (m->o.max_bytes && m->bytes > m->o.max_bytes)))
		return rx_fail(err, RX_ELIMIT,
			       "with '%s' the files are larger than the limit of %" PRId64 " bytes",
			       node_show_text(&m->tree, name),
			       m->o.max_bytes ? m->o.max_bytes : INT64_MAX);
	n = node_add(&m->tree, dir, name, kind, err);
	if (!n)
		return false;
	if (d)
		n->digest = *d;
	n->is_executable = executable;
	n->target = target;
	*out = n;
	return true;
}

bool materialise_file(struct materialise *m, const char *path, const struct digest *d,
		      bool executable, struct rx_view contents, struct rx_err *err)
{
	struct node *dir = NULL, *n;
	const char *name = NULL;
	struct digest have;
	char text[DIGEST_TEXT_MAX];

	if (!parent_of(m, path, &dir, &name, err))
		return false;
	if (contents.n) {
		/* REAPI rule 142 */
		if (!computable(d->function, err))
			return false;
		digest_of_view((enum digest_function)d->function, contents, &have);
		digest_short(d, text);
		if (!digest_eq(&have, d))
			return rx_fail(err, RX_EDIGEST,
				       "the content sent along for '%s' does not have its digest "
				       "%s",
				       node_show_text(&m->tree, path), text);
	}
	if (!add_leaf(m, dir, name, NODE_FILE, d, executable, NULL, true, &n, err))
		return false;
	if (contents.n && !n->data) {
		struct rx_view *bytes = ARENA_NEW(&m->tree.arena, struct rx_view);
		*bytes = arena_view(&m->tree.arena, contents);
		n->data = bytes;
	}
	return true;
}

static bool target_ok(struct materialise *m, const char *path, const char *target,
		      struct rx_err *err)
{
	if (*target)
		return true;
	return rx_fail(err, RX_EPARSE, "the symbolic link '%s' has no target",
		       node_show_text(&m->tree, path));
}

bool materialise_symlink(struct materialise *m, const char *path, const char *target,
			 struct rx_err *err)
{
	struct node *dir = NULL, *n;
	const char *name = NULL;

	return parent_of(m, path, &dir, &name, err) && target_ok(m, path, target, err) &&
	       add_leaf(m, dir, name, NODE_SYMLINK, NULL, false, arena_str(&m->tree.arena, target),
			true, &n, err);
}

static struct node *directory_at(struct materialise *m, const char *path, struct rx_err *err)
{
	struct node *dir = NULL;
	const char *name = NULL;

	if (!*path)
		return m->tree.root;
	if (!parent_of(m, path, &dir, &name, err))
		return NULL;
	dir = node_mkdirs(&m->tree, dir, name, strlen(name), err);
	if (dir)
		dir->known = true; /* asked for, not just a parent */
	return dir;
}

bool materialise_directory(struct materialise *m, const char *path, struct rx_err *err)
{
	return directory_at(m, path, err) != NULL;
}

/* ---- trees ---- */

/* A directory whose message is not read yet. */
struct pending {
	struct node *parent; /* NULL: the top, at the expansion's path */
	const char *name;
	struct digest digest;
};
struct level {
	struct pending *v;
	size_t n, cap;
};
struct expansion {
	struct materialise *m;
	const char *path;
	struct rx_map known; /* digest -> struct directory, NULL when missing */
	struct level now, next;
	/* Where messages come from. Absent ones: p == NULL. */
	bool (*load)(struct expansion *x, const struct digest *want, size_t n, struct rx_view *out,
		     struct rx_err *err);
	struct blob_source *source;
	struct digest_list *missing;
	size_t bytes;
	struct rx_map records; /* digest -> struct rx_view */
};

static void expansion_release(struct expansion *x)
{
	rx_map_release(&x->known);
	rx_map_release(&x->records);
	free(x->now.v);
	free(x->next.v);
}

static bool load_from_source(struct expansion *x, const struct digest *want, size_t n,
			     struct rx_view *out, struct rx_err *err)
{
	if (!source_read_many(x->source, want, n, LIMIT_DIRECTORY_BYTES,
			      LIMIT_TREE_BYTES - x->bytes, &x->m->tree.arena, out, err))
		return rx_wrap(err, "reading directories");
	for (size_t i = 0; i < n; i++) {
		x->bytes += out[i].n;
		if (!out[i].p)
			digest_list_add(x->missing, &want[i]);
	}
	return true;
}

static bool load_from_records(struct expansion *x, const struct digest *want, size_t n,
			      struct rx_view *out, struct rx_err *err)
{
	uint8_t key[DIGEST_KEY_MAX];
	char text[DIGEST_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct rx_view *bytes =
			rx_map_get(&x->records, key, digest_key(&want[i], key));
		digest_short(&want[i], text);
		if (!bytes && want[i].size)
			return rx_fail(err, RX_EPARSE, "directory %s is not in the tree", text);
		out[i] = bytes && bytes->n ? *bytes : RX_VIEW("");
	}
	return true;
}

/* Reads the messages of this level that are not known yet. */
static bool read_level(struct expansion *x, struct rx_err *err)
{
	struct arena *a = &x->m->tree.arena;
	RX_CLEANUP(xfreep) struct digest *want = xcalloc(x->now.n, sizeof(*want));
	RX_CLEANUP(xfreep) struct rx_view *bytes = xcalloc(x->now.n, sizeof(*bytes));
	uint8_t key[DIGEST_KEY_MAX];
	char text[DIGEST_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < x->now.n; i++) {
		const struct digest *d = &x->now.v[i].digest;
		bool added;

		rx_map_slot(&x->known, key, digest_key(d, key), &added);
		if (added)
			want[n++] = *d;
	}
	if (n && !x->load(x, want, n, bytes, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct directory *d;

		if (!bytes[i].p)
			continue;
		d = ARENA_NEW(a, struct directory);
		digest_short(&want[i], text);
		if (!x->m->o.codec->unpack(a, bytes[i], x->m->o.function, d, err))
			return rx_wrap(err, "directory %s", text);
		if (d->marks & MARK_DUPLICATE) /* REAPI rule 9 */
			return rx_fail(err, RX_EPARSE, "directory %s has a name twice", text);
		rx_map_put(&x->known, key, digest_key(&want[i], key), d);
	}
	return true;
}

static bool expand(struct expansion *x, struct node *dir, struct directory *d, struct rx_err *err)
{
	struct materialise *m = x->m;
	bool look = dir->dir->n > 0; /* names of one message differ */
	struct node *n;

	if (d->props.present)
		dir->props = &d->props;
	for (size_t i = 0; i < d->n_files; i++) {
		struct file_node *f = &d->files[i];
		if (!add_leaf(m, dir, f->name, NODE_FILE, &f->digest, f->is_executable, NULL, look,
			      &n, err))
			return false;
		n->props = f->props.present ? &f->props : NULL;
	}
	for (size_t i = 0; i < d->n_links; i++) {
		struct symlink_node *l = &d->links[i];
		if (!target_ok(m, l->name, l->target, err) ||
		    !add_leaf(m, dir, l->name, NODE_SYMLINK, NULL, false, l->target, look, &n, err))
			return false;
		n->props = l->props.present ? &l->props : NULL;
	}
	for (size_t i = 0; i < d->n_dirs; i++) {
		if (m->tree.n + x->next.n >= LIMIT_TREE_NODES)
			return rx_fail(err, RX_ELIMIT, "the tree has more than %d entries",
				       LIMIT_TREE_NODES);
		RX_GROW(x->next.v, x->next.n, x->next.cap);
		x->next.v[x->next.n++] =
			(struct pending){ dir, d->dirs[i].name, d->dirs[i].digest };
	}
	return true;
}

/* The node of a directory whose message is there. */
static struct node *made(struct expansion *x, const struct pending *p, struct rx_err *err)
{
	struct node_tree *t = &x->m->tree;
	struct node *dir;

	if (!p->parent)
		return directory_at(x->m, x->path, err);
	dir = node_find(t, p->parent, p->name, strlen(p->name));
	if (dir && !dir->dir) {
		rx_fail(err, RX_EPARSE, "'%s' is asked to be two different things",
			node_show(t, dir));
		return NULL;
	}
	if (!dir)
		dir = node_add(t, p->parent, p->name, NODE_DIRECTORY, err);
	if (dir)
		dir->known = true;
	return dir;
}

static bool expand_level(struct expansion *x, struct rx_err *err)
{
	uint8_t key[DIGEST_KEY_MAX];

	for (size_t i = 0; i < x->now.n; i++) {
		struct pending *p = &x->now.v[i];
		struct directory *d = rx_map_get(&x->known, key, digest_key(&p->digest, key));
		struct node *dir;

		if (!d)
			continue; /* missing, and so is all below it */
		dir = made(x, p, err);
		if (!dir || !expand(x, dir, d, err))
			return false;
	}
	return true;
}

static bool expand_all(struct expansion *x, const struct digest *root, struct rx_err *err)
{
	RX_GROW(x->now.v, x->now.n, x->now.cap);
	x->now.v[x->now.n++] = (struct pending){ .digest = *root };
	while (x->now.n) {
		struct level done = x->now;

		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "reading directories was stopped");
		if (!read_level(x, err) || !expand_level(x, err))
			return false;
		x->now = x->next;
		x->next = done;
		x->next.n = 0;
	}
	return true;
}

bool materialise_tree(struct materialise *m, const char *path, const struct digest *root,
		      struct blob_source *source, struct digest_list *missing, struct rx_err *err)
{
	RX_CLEANUP(expansion_release)
	struct expansion x = {
		.m = m,
		.path = path,
		.load = load_from_source,
		.source = source,
		.missing = missing,
	};

	return check_path(m, path, err) && expand_all(&x, root, err);
}

bool materialise_records(struct materialise *m, const char *path, const struct rx_view *records,
			 size_t n, struct rx_err *err)
{
	RX_CLEANUP(expansion_release)
	struct expansion x = { .m = m, .path = path, .load = load_from_records };
	struct arena *a = &m->tree.arena;
	struct rx_view *views = ARENA_ARRAY(a, struct rx_view, n);
	uint8_t key[DIGEST_KEY_MAX];
	struct digest d, root = { 0 };

	if (n == 0)
		return rx_fail(err, RX_EPARSE, "the tree has no root directory");
	if (!check_path(m, path, err) || !computable(m->o.function, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		digest_of_view(m->o.function, records[i], &d);
		if (i == 0)
			root = d;
		views[i] = arena_view(a, records[i]);
		rx_map_put(&x.records, key, digest_key(&d, key), &views[i]);
	}
	return expand_all(&x, &root, err);
}
