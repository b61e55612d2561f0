/* jsondoc: whole small JSON documents as trees in an arena, built from jsonpull's events. */
#include "jsonpull.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"

#define FEW_KEYS 16u /* up to here comparing each with each is fastest */

struct source {
	struct rx_view rest;
};

struct builder {
	struct arena *arena;
	const char *name;
	struct jsonpull *pull;
	size_t nodes;
	/* Elements of the open objects and arrays, the innermost last. */
	struct jsondoc *items;
	size_t items_n, items_cap;
	struct rx_view *keys;
	size_t keys_n, keys_cap;
};

static int64_t read_view(void *ctx, void *p, size_t n, struct rx_err *err)
{
	struct source *s = ctx;

	(void)err;
	n = RX_MIN(n, s->rest.n);
	if (n)
		memcpy(p, s->rest.p, n);
	s->rest.p += n;
	s->rest.n -= n;
	return (int64_t)n;
}

/* Its errors begin with line:column. */
static bool next(struct builder *b, struct jsonpull_event *e, struct rx_err *err)
{
	if (jsonpull_next(b->pull, e, err))
		return true;
	rx_buf_insert(&err->msg, 0, ":", 1);
	rx_buf_insert(&err->msg, 0, b->name, strlen(b->name));
	return false;
}

static bool duplicate(const struct rx_view *keys, size_t n, struct rx_view *which)
{
	RX_CLEANUP(rx_map_release) struct rx_map seen = { 0 };

	for (size_t i = 0; i < n; i++) {
		*which = keys[i];
		if (n > FEW_KEYS) {
			if (!rx_map_put(&seen, keys[i].p, keys[i].n, NULL))
				return true;
			continue;
		}
		for (size_t k = 0; k < i; k++)
			if (rx_view_eq(keys[i], keys[k]))
				return true;
	}
	return false;
}

static bool build(struct builder *b, const struct jsonpull_event *e, struct jsondoc *out,
		  struct rx_err *err);

/* Everything up to the end of the object or array; the levels are limited by jsonpull. */
static bool build_inside(struct builder *b, bool object, struct jsondoc *out, struct rx_err *err)
{
	size_t first = b->items_n, first_key = b->keys_n;
	struct jsonpull_event e;

	for (;;) {
		struct jsondoc item;
		if (!next(b, &e, err))
			return false;
		if (e.kind == JSONPULL_OBJECT_END || e.kind == JSONPULL_ARRAY_END)
			break;
		if (e.kind == JSONPULL_KEY) {
			RX_GROW(b->keys, b->keys_n, b->keys_cap);
			b->keys[b->keys_n++] = arena_view(b->arena, e.text);
			if (!next(b, &e, err))
				return false;
		}
		if (!build(b, &e, &item, err))
			return false;
		RX_GROW(b->items, b->items_n, b->items_cap);
		b->items[b->items_n++] = item;
	}
	size_t n = b->items_n - first, n_keys = b->keys_n - first_key;
	struct rx_view which;
	if (n_keys && duplicate(b->keys + first_key, n_keys, &which))
		return rx_fail(err, RX_EPARSE,
			       "%s: the object that ends at byte %" PRId64
			       " has the key '%.*s' twice",
			       b->name, e.offset, (int)RX_MIN(which.n, 200u), which.p);
	*out = (struct jsondoc){ .type = object ? JSON_OBJECT : JSON_ARRAY, .n = n };
	if (n)
		out->items = arena_copy(b->arena, b->items + first, n * sizeof(*b->items));
	if (n_keys)
		out->keys = arena_copy(b->arena, b->keys + first_key, n_keys * sizeof(*b->keys));
	b->items_n = first;
	b->keys_n = first_key;
	return true;
}

static bool build(struct builder *b, const struct jsonpull_event *e, struct jsondoc *out,
		  struct rx_err *err)
{
	if (++b->nodes > JSONDOC_MAX_NODES)
		return rx_fail(err, RX_ELIMIT, "%s: more than %u values", b->name,
			       JSONDOC_MAX_NODES);
	*out = (struct jsondoc){ 0 };
	switch (e->kind) {
	case JSONPULL_OBJECT:
		return build_inside(b, true, out, err);
	case JSONPULL_ARRAY:
		return build_inside(b, false, out, err);
	case JSONPULL_STRING:
	case JSONPULL_NUMBER:
		out->type = e->kind == JSONPULL_STRING ? JSON_STRING : JSON_NUMBER;
		out->text = arena_view(b->arena, e->text);
		return true;
	case JSONPULL_BOOL:
		out->type = JSON_BOOL;
		out->truth = e->truth;
		return true;
	default:
		return true; /* null: the parser lets nothing else stand here */
	}
}

bool jsondoc_parse(struct arena *a, const char *name, struct rx_view text, struct jsondoc **out,
		   struct rx_err *err)
{
	struct source source = { text };
	struct builder b = { .arena = a, .name = name };
	struct jsonpull_event e;
	struct jsondoc doc;

	if (text.n > JSONDOC_MAX_BYTES)
		return rx_fail(err, RX_ELIMIT, "%s: %zu bytes of JSON, the limit is %u", name,
			       text.n, JSONDOC_MAX_BYTES);
	b.pull = jsonpull_new(read_view, &source, false);
	bool ok = next(&b, &e, err) && build(&b, &e, &doc, err) && next(&b, &e, err);
	jsonpull_free(b.pull);
	free(b.items);
	free(b.keys);
	if (!ok)
		return false;
	*out = arena_copy(a, &doc, sizeof(doc));
	return true;
}

const struct jsondoc *jsondoc_get(const struct jsondoc *obj, const char *key)
{
	if (!obj || obj->type != JSON_OBJECT)
		return NULL;
	for (size_t i = 0; i < obj->n; i++)
		if (rx_view_eq_str(obj->keys[i], key))
			return &obj->items[i];
	return NULL;
}

bool jsondoc_int(const struct jsondoc *v, int64_t *out)
{
	char *end;

	/* The text has a NUL behind it: arena_view. */
	if (!v || v->type != JSON_NUMBER || strcspn(v->text.p, ".eE") != v->text.n)
		return false;
	errno = 0;
	long long value = strtoll(v->text.p, &end, 10);
	if (errno || *end)
		return false;
	*out = value;
	return true;
}
