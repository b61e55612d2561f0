/* wire_records: a Tree as the records it is made of, and what must hold between them. */
#include "map.h"
#include "wire_reader.h"
#include "wire_tree.h"

bool wire_tree_unpack(struct arena *a, struct rx_view bytes, struct wire_tree *out,
		      struct rx_err *err)
{
	struct wire_tree t = { 0 };
	struct wire_reader r = wire_reader(bytes, "Tree", &t.marks, err), counter = r;
	enum wire_step step;
	unsigned marks = 0;
	size_t n = 0;

	if (bytes.n > LIMIT_TREE_BYTES)
		return rx_fail(err, RX_ELIMIT, "Tree is %zu bytes, limit %u", bytes.n,
			       LIMIT_TREE_BYTES);
	counter.marks = &marks;
	while ((step = wire_next(&counter)) == WIRE_FIELD)
		n += counter.key == WIRE_KEY(2, WIRE_BYTES);
	if (step == WIRE_BAD)
		return false;
	if (n > LIMIT_TREE_NODES)
		return rx_fail(err, RX_ELIMIT, "Tree: more than %d directories", LIMIT_TREE_NODES);
	t.children = ARENA_ARRAY(a, struct rx_view, n);
	while ((step = wire_next(&r)) == WIRE_FIELD) {
		switch (r.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			/* Two would have to be merged: no bytes left that have the root's digest.
			 */
			if (t.has_root)
				return wire_bad(&r, "root", "is there twice");
			t.has_root = true;
			t.root = r.bytes;
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			t.children[t.n_children++] = r.bytes;
			break;
		default:
			wire_unknown(&r);
		}
	}
	if (step == WIRE_BAD)
		return false;
	*out = t;
	return true;
}

void wire_tree_pack(const struct wire_tree *t, struct rx_buf *out)
{
	size_t n = t->has_root ? wire_bytes_size(t->root.n) : 0;
	char *p;

	for (size_t i = 0; i < t->n_children; i++)
		n += wire_bytes_size(t->children[i].n);
	p = rx_buf_reserve(out, n);
	if (!p)
		return;
	if (t->has_root)
		p = wire_put_bytes(p, 1, t->root.n ? t->root.p : "", t->root.n);
	for (size_t i = 0; i < t->n_children; i++)
		p = wire_put_bytes(p, 2, t->children[i].n ? t->children[i].p : "",
				   t->children[i].n);
	rx_buf_grew(out, n);
}

/* The records by digest of their bytes (REAPI rule 21). Record 0 is the root. */
struct records {
	const struct wire_tree *tree;
	enum digest_function function;
	struct rx_map places; /* digest key -> number of the first such record + 1 */
	size_t n;
};

static void records_release(struct records *r)
{
	rx_map_release(&r->places);
}

static struct rx_view record(const struct records *r, size_t i)
{
	return i ? r->tree->children[i - 1] : r->tree->root;
}

/* A function left open is told by the first hash found; a tree without any has one record, which
 * may be hashed anyhow. */
static bool find_function(struct records *r, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	struct directory d;

	for (size_t i = 0; i < r->n && r->function == DIGEST_UNKNOWN; i++) {
		arena_reset(&scratch);
		if (!wire_directory_unpack(&scratch, record(r, i), DIGEST_UNKNOWN, &d, err))
			return rx_wrap(err, "Tree: record %zu", i);
		if (d.n_dirs)
			r->function = (enum digest_function)d.dirs[0].digest.function;
	}
	if (r->function == DIGEST_UNKNOWN)
		r->function = DIGEST_SHA256;
	if (!digest_function_supported(r->function))
		return rx_fail(err, RX_EDIGEST, "Tree: %s cannot be computed here",
			       digest_function_name(r->function));
	return true;
}

/* duplicate_out: the number of a record that was there before, or 0. */
static bool records_init(struct records *r, const struct wire_tree *t, enum digest_function f,
			 size_t *duplicate_out, struct rx_err *err)
{
	uint8_t key[DIGEST_KEY_MAX];
	struct digest d;

	*r = (struct records){ .tree = t, .function = f, .n = t->n_children + 1 };
	*duplicate_out = 0;
	if (!t->has_root)
		return rx_fail(err, RX_EPARSE, "Tree.root: is missing");
	if (!find_function(r, err))
		return false;
	for (size_t i = 0; i < r->n; i++) {
		void **slot;
		bool added;

		digest_of_view(r->function, record(r, i), &d);
		slot = rx_map_slot(&r->places, key, digest_key(&d, key), &added);
		if (added)
			*slot = (void *)(uintptr_t)(i + 1);
		else if (!*duplicate_out)
			*duplicate_out = i;
	}
	return true;
}

/* The number of the record with this digest, r->n when there is none. */
static size_t place(const struct records *r, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];
	void *found = rx_map_get(&r->places, key, digest_key(d, key));

	return found ? (size_t)(uintptr_t)found - 1 : r->n;
}

bool wire_tree_check_sorted(const struct wire_tree *t, enum digest_function f, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	RX_CLEANUP(xfreep) bool *named = NULL;
	RX_CLEANUP(records_release) struct records r = { 0 };
	size_t duplicate;

	/* REAPI rule 26: records and nothing else, the root first */
	if (t->marks)
		return rx_fail(err, RX_EPARSE,
			       "Tree is not sorted: it is not a plain row of root and children");
	if (!records_init(&r, t, f, &duplicate, err))
		return false;
	if (duplicate)
		return rx_fail(err, RX_EPARSE, "Tree is not sorted: record %zu was there before",
			       duplicate);
	named = xcalloc(r.n, sizeof(*named));
	for (size_t i = 0; i < r.n; i++) {
		struct directory d;

		if (i && !named[i])
			return rx_fail(err, RX_EPARSE,
				       "Tree is not sorted: no record before record %zu names it",
				       i);
		arena_reset(&scratch);
		if (!wire_directory_unpack(&scratch, record(&r, i), r.function, &d, err))
			return rx_wrap(err, "Tree: record %zu", i);
		for (size_t k = 0; k < d.n_dirs; k++) {
			size_t at = place(&r, &d.dirs[k].digest);

			/* REAPI rule 25: every parent before its children */
			if (at <= i)
				return rx_fail(err, RX_EPARSE,
					       "Tree is not sorted: record %zu is stored before "
					       "its parent, record %zu",
					       at, i);
			if (at < r.n)
				named[at] = true;
		}
	}
	return true;
}

bool wire_tree_check_complete(const struct wire_tree *t, enum digest_function f, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	RX_CLEANUP(xfreep) bool *reached = NULL;
	RX_CLEANUP(xfreep) size_t *queue = NULL;
	RX_CLEANUP(records_release) struct records r = { 0 };
	size_t duplicate, head = 0, tail = 0;

	if (!records_init(&r, t, f, &duplicate, err))
		return false;
	reached = xcalloc(r.n, sizeof(*reached));
	queue = xcalloc(r.n, sizeof(*queue));
	reached[0] = true;
	queue[tail++] = 0;
	while (head < tail) {
		size_t i = queue[head++];
		struct directory d;

		arena_reset(&scratch);
		if (!wire_directory_unpack(&scratch, record(&r, i), r.function, &d, err))
			return rx_wrap(err, "Tree: record %zu", i);
		for (size_t k = 0; k < d.n_dirs; k++) {
			size_t at = place(&r, &d.dirs[k].digest);
			char text[DIGEST_TEXT_MAX];

			if (at == r.n) {
				digest_format(&d.dirs[k].digest, text);
				return rx_fail(
					err, RX_EPARSE,
					"Tree: directory '%.200s' of record %zu, %s, is missing",
					d.dirs[k].name, i, text);
			}
			if (!reached[at]) {
				reached[at] = true;
				queue[tail++] = at;
			}
		}
	}
	return true;
}
