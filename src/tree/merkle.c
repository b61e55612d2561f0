/* merkle: Directory messages of a tree, from the bottom up. */
#include "merkle.h"

void merkle_release(struct merkle *m)
{
	if (!m)
		return;
	rx_map_release(&m->records);
	rx_buf_release(&m->bytes);
	rx_buf_release(&m->path);
	free(m->scratch.files);
	free(m->scratch.dirs);
	free(m->scratch.links);
	m->scratch = (struct directory){ 0 };
	m->cap_files = m->cap_dirs = m->cap_links = 0;
}

static void fill(struct merkle *m, const struct node *dir)
{
	struct directory *d = &m->scratch;

	d->n_files = d->n_dirs = d->n_links = 0;
	d->props = dir->props ? *dir->props : (struct node_properties){ 0 };
	for (size_t i = 0; i < dir->dir->n; i++) {
		const struct node *kid = dir->dir->kids[i];
		struct node_properties props = { 0 };

		if (kid->props)
			props = *kid->props;
		switch (kid->kind) {
		case NODE_FILE:
			RX_GROW(d->files, d->n_files, m->cap_files);
			d->files[d->n_files++] = (struct file_node){ kid->name, kid->digest,
								     kid->is_executable, props };
			break;
		case NODE_DIRECTORY:
			RX_GROW(d->dirs, d->n_dirs, m->cap_dirs);
			d->dirs[d->n_dirs++] = (struct directory_node){ kid->name, kid->digest };
			break;
		case NODE_SYMLINK:
			RX_GROW(d->links, d->n_links, m->cap_links);
			d->links[d->n_links++] =
				(struct symlink_node){ kid->name, kid->target, props };
			break;
		case NODE_UNKNOWN:
			break;
		}
	}
}

static void record(struct merkle *m, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];
	bool added;
	void **slot = rx_map_slot(&m->records, key, digest_key(d, key), &added);
	struct rx_view *bytes;

	if (!added)
		return;
	bytes = ARENA_NEW(m->keep, struct rx_view);
	*bytes = arena_view(m->keep, rx_view_of(&m->bytes));
	*slot = bytes;
}

/* Recursion is bounded: no tree is deeper than LIMIT_TREE_DEPTH. */
bool merkle_encode(struct merkle *m, struct node *dir, struct rx_err *err)
{
	struct blob blob;

	for (size_t i = 0; i < dir->dir->n; i++) {
		struct node *kid = dir->dir->kids[i];
		if (kid->dir && !merkle_encode(m, kid, err))
			return false;
	}
	node_sort(dir);
	fill(m, dir);
	directory_sort(&m->scratch);
	m->bytes.max = LIMIT_DIRECTORY_BYTES;
	rx_buf_reset(&m->bytes);
	m->codec->pack(&m->scratch, &m->bytes);
	m->path.max = RX_BUF_NO_MAX;
	rx_buf_reset(&m->path);
	node_add_path(dir, &m->path);
	if (m->bytes.full)
		return rx_fail(err, RX_ELIMIT,
			       "directory '%s' with %zu entries is larger than %u bytes",
			       rx_buf_str(&m->path), dir->dir->n, LIMIT_DIRECTORY_BYTES);
	digest_of_view(m->function, rx_view_of(&m->bytes), &dir->digest);
	dir->known = true;
	if (m->keep)
		record(m, &dir->digest);
	if (!m->sink || m->bytes.n == 0) /* REAPI rules 18, 32: everybody has the empty blob */
		return true;
	blob = (struct blob){ .digest = dir->digest,
			      .bytes = rx_view_of(&m->bytes),
			      .dirfd = -1,
			      .name = m->path.n ? rx_buf_str(&m->path) : "the root directory" };
	return m->sink->put(m->sink, &blob, err);
}

struct order {
	struct merkle *m;
	struct rx_map seen;
	struct rx_view *v;
	size_t n, cap;
};

/* Children before parents; last children first, so that the list turned round has parents first
 * and, where that leaves a choice, names in order. */
static void visit(struct order *o, const struct node *dir)
{
	uint8_t key[DIGEST_KEY_MAX];
	size_t n = digest_key(&dir->digest, key);

	if (!rx_map_put(&o->seen, key, n, NULL))
		return;
	for (size_t i = dir->dir->n; i-- > 0;)
		if (dir->dir->kids[i]->dir)
			visit(o, dir->dir->kids[i]);
	RX_GROW(o->v, o->n, o->cap);
	o->v[o->n++] = *(struct rx_view *)rx_map_get(&o->m->records, key, n);
}

struct rx_view *merkle_records(struct merkle *m, const struct node *root, size_t *n_out)
{
	struct order o = { .m = m };
	struct rx_view *out;

	visit(&o, root);
	out = ARENA_ARRAY(m->keep, struct rx_view, o.n);
	for (size_t i = 0; i < o.n; i++)
		out[i] = o.v[o.n - 1 - i];
	*n_out = o.n;
	rx_map_release(&o.seen);
	free(o.v);
	return out;
}
