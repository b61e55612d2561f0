/* node: trees of files in memory: adding, finding, sorting. */
#include "node.h"

#include "utf8.h"

#define INDEX_FROM 16 /* children that are searched one by one are fewer */

void node_tree_init(struct node_tree *t, enum rx_code code)
{
	*t = (struct node_tree){ .code = code };
	t->root = node_root(t);
}

void node_tree_release(struct node_tree *t)
{
	if (!t)
		return;
	for (struct node_dir *d = t->indexed; d; d = d->next_indexed)
		rx_map_release(&d->index);
	arena_release(&t->arena);
	*t = (struct node_tree){ 0 };
}

struct node *node_root(struct node_tree *t)
{
	struct node *n = node_apart(t, NULL, "", NODE_DIRECTORY);

	n->dir = ARENA_NEW(&t->arena, struct node_dir);
	return n;
}

struct node *node_apart(struct node_tree *t, struct node *dir, const char *name,
			enum node_kind kind)
{
	struct node *n = ARENA_NEW(&t->arena, struct node);

	n->parent = dir;
	n->name = name;
	n->kind = kind;
	return n;
}

const char *node_kind_name(enum node_kind k)
{
	switch (k) {
	case NODE_FILE:
		return "file";
	case NODE_DIRECTORY:
		return "directory";
	case NODE_SYMLINK:
		return "symbolic link";
	case NODE_UNKNOWN:
		break;
	}
	return "thing of unknown kind";
}

void node_add_path(const struct node *n, struct rx_buf *out)
{
	size_t at = out->n;

	for (; n && n->parent; n = n->parent) {
		if (out->n > at)
			rx_buf_insert(out, at, "/", 1);
		rx_buf_insert(out, at, n->name, strlen(n->name));
	}
}

const char *node_show_text(struct node_tree *t, const char *path)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf safe = { 0 };

	utf8_add_safe(&safe, path, strlen(path), 1024);
	return arena_str(&t->arena, rx_buf_str(&safe));
}

const char *node_show(struct node_tree *t, const struct node *n)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf path = { .max = RX_BUF_NO_MAX };

	node_add_path(n, &path);
	return path.n ? node_show_text(t, rx_buf_str(&path)) : ".";
}

/* REAPI rules 9 and 10, and proto3's UTF-8. NULL: the name is fine. */
static const char *name_fault(const char *name, size_t n)
{
	if (n == 0)
		return "is empty";
	if (n > LIMIT_NAME_BYTES)
		return "is longer than the limit for names";
	if (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))
		return "is not a name";
	if (memchr(name, '/', n))
		return "holds a slash";
	if (!utf8_valid(name, n))
		return "is not UTF-8";
	return NULL;
}

struct node *node_add(struct node_tree *t, struct node *dir, const char *name, enum node_kind kind,
		      struct rx_err *err)
{
	size_t n = strlen(name);
	const char *fault = name_fault(name, n);
	struct node_dir *d = dir->dir;
	struct node *kid;

	if (fault) {
		enum rx_code code = n > LIMIT_NAME_BYTES ? RX_ELIMIT : t->code;
		rx_fail(err, code, "the name '%s' in '%s' %s", node_show_text(t, name),
			node_show(t, dir), fault);
		return NULL;
	}
	if (t->n >= LIMIT_TREE_NODES) {
		rx_fail(err, RX_ELIMIT, "the tree has more than %d entries", LIMIT_TREE_NODES);
		return NULL;
	}
	kid = node_apart(t, dir, name, kind);
	if (kind == NODE_DIRECTORY) {
		if (d->depth >= LIMIT_TREE_DEPTH) {
			rx_fail(err, RX_ELIMIT, "the tree is deeper than %d directories: '%s'",
				LIMIT_TREE_DEPTH, node_show(t, kid));
			return NULL;
		}
		kid->dir = ARENA_NEW(&t->arena, struct node_dir);
		kid->dir->depth = d->depth + 1;
	}
	t->n++;
	if (d->n == d->cap) {
		/* The old array stays in the arena: all of them together are no longer than this
		 * one. */
		size_t cap = d->cap ? d->cap * 2 : 4;
		struct node **kids = ARENA_ARRAY(&t->arena, struct node *, cap);
		if (d->n)
			memcpy(kids, d->kids, d->n * sizeof(struct node *));
		d->kids = kids;
		d->cap = cap;
	}
	d->kids[d->n++] = kid;
	if (d->indexed)
		rx_map_put(&d->index, name, n, kid);
	return kid;
}

struct node *node_find(struct node_tree *t, struct node *dir, const char *name, size_t n)
{
	struct node_dir *d = dir->dir;

	if (d->n < INDEX_FROM) {
		for (size_t i = 0; i < d->n; i++) {
			const char *have = d->kids[i]->name;
			if (strncmp(have, name, n) == 0 && !have[n])
				return d->kids[i];
		}
		return NULL;
	}
	if (!d->indexed) {
		d->indexed = true;
		d->next_indexed = t->indexed;
		t->indexed = d;
		for (size_t i = 0; i < d->n; i++)
			rx_map_put(&d->index, d->kids[i]->name, strlen(d->kids[i]->name),
				   d->kids[i]);
	}
	return rx_map_get(&d->index, name, n);
}

struct node *node_mkdirs(struct node_tree *t, struct node *dir, const char *path, size_t n,
			 struct rx_err *err)
{
	while (n) {
		const char *slash = memchr(path, '/', n);
		size_t len = slash ? (size_t)(slash - path) : n;
		struct node *kid = node_find(t, dir, path, len);

		if (!kid) {
			kid = node_add(t, dir, arena_strn(&t->arena, path, len), NODE_DIRECTORY,
				       err);
			if (!kid)
				return NULL;
		} else if (!kid->dir) {
			rx_fail(err, t->code, "'%s' is a %s and also the parent of other paths",
				node_show(t, kid), node_kind_name(kid->kind));
			return NULL;
		}
		dir = kid;
		path += RX_MIN(len + 1, n);
		n -= RX_MIN(len + 1, n);
	}
	return dir;
}

static int by_path(const void *pa, const void *pb)
{
	const struct node *a = *(struct node *const *)pa, *b = *(struct node *const *)pb;
	const unsigned char *x = (const unsigned char *)a->name;
	const unsigned char *y = (const unsigned char *)b->name;
	int cx, cy;

	while (*x && *x == *y)
		x++, y++;
	cx = *x ? *x : a->dir ? '/' : 0;
	cy = *y ? *y : b->dir ? '/' : 0;
	return cx - cy;
}

/* The first bytes of the name as a number that sorts like them, so that most comparisons touch
 * neither node nor name. */
struct keyed {
	uint64_t key;
	struct node *node;
};

static uint64_t first_bytes(const struct node *n)
{
	const unsigned char *p = (const unsigned char *)n->name;
	uint64_t key = 0;
	int i = 0;

	for (; i < 8 && *p; i++)
		key = key << 8 | *p++;
	if (i < 8 && n->dir) {
		key = key << 8 | '/';
		i++;
	}
	return i ? key << (8 * (8 - i)) : 0;
}

static int by_key(const void *pa, const void *pb)
{
	const struct keyed *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return by_path(&a->node, &b->node);
}

void node_sort(struct node *dir)
{
	struct node_dir *d = dir->dir;
	RX_CLEANUP(xfreep) struct keyed *v = NULL;
	size_t i = 1;

	while (i < d->n && by_path(&d->kids[i - 1], &d->kids[i]) < 0)
		i++;
	if (i >= d->n)
		return;
	v = xmalloc(d->n * sizeof(*v));
	for (i = 0; i < d->n; i++)
		v[i] = (struct keyed){ first_bytes(d->kids[i]), d->kids[i] };
	qsort(v, d->n, sizeof(*v), by_key);
	for (i = 0; i < d->n; i++)
		d->kids[i] = v[i].node;
}
