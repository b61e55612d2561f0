/* yamldoc: libyaml's events as a tree in an arena, strict where YAML is surprising. */
#include "yamldoc.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "file.h"
#include "map.h"

#define FEW_KEYS 16u /* up to here comparing each with each is fastest */

struct builder {
	struct arena *arena;
	const char *name;
	struct rx_view input;
	yaml_parser_t yaml;
	size_t nodes;
	/* Children of the open lists and maps, the innermost last; of a map key, value, key, ... */
	struct yamldoc *open;
	size_t open_n, open_cap;
};

static RX_PRINTF(4, 5) bool fail_at(struct rx_err *err, const struct builder *b, yaml_mark_t at,
				    const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return rx_fail(err, RX_EPARSE, "%s:%zu:%zu: %s", b->name, at.line + 1, at.column + 1, text);
}

static bool next(struct builder *b, yaml_event_t *e, struct rx_err *err)
{
	const yaml_parser_t *y = &b->yaml;

	if (yaml_parser_parse(&b->yaml, e))
		return true;
	memset(e, 0, sizeof(*e));
	yaml_mark_t at = y->problem_mark;
	/* The reader knows no lines, only the byte. */
	if (y->error == YAML_READER_ERROR) {
		at = (yaml_mark_t){ 0 };
		for (size_t i = 0; i < b->input.n && i < y->problem_offset; i++) {
			at.column++;
			if (b->input.p[i] == '\n') {
				at.line++;
				at.column = 0;
			}
		}
	}
	fail_at(err, b, at, "%s%s%s", y->context ? y->context : "", y->context ? ", " : "",
		y->problem ? y->problem : "not YAML");
	return false;
}

static bool plain_enough(const struct builder *b, const yaml_event_t *e, struct rx_err *err)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (e->type == YAML_ALIAS_EVENT || anchor)
		return fail_at(err, b, e->start_mark, "anchors and aliases are not allowed here");
	if (tag)
		return fail_at(err, b, e->start_mark, "tags are not allowed here");
	return true;
}

static bool find_duplicate(const struct builder *b, const struct yamldoc *map, struct rx_err *err)
{
	RX_CLEANUP(rx_map_release) struct rx_map seen = { 0 };

	for (size_t i = 0; i < map->n; i++) {
		const struct yamldoc *key = &map->keys[i];
		bool twice = false;
		if (map->n > FEW_KEYS)
			twice = !rx_map_put(&seen, key->text, strlen(key->text), NULL);
		for (size_t k = 0; map->n <= FEW_KEYS && k < i; k++)
			twice = twice || strcmp(key->text, map->keys[k].text) == 0;
		if (twice)
			return rx_fail(err, RX_EPARSE, "%s:%u:%u: the key '%s' is there twice",
				       b->name, key->line, key->column, key->text);
	}
	return true;
}

static bool build(struct builder *b, yaml_event_t *e, unsigned depth, struct yamldoc *out,
		  struct rx_err *err);

static bool build_inside(struct builder *b, unsigned depth, struct yamldoc *out, struct rx_err *err)
{
	bool is_map = out->type == YAMLDOC_MAP;
	size_t first = b->open_n;

	for (;;) {
		RX_CLEANUP(yaml_event_delete) yaml_event_t e;
		struct yamldoc child;
		if (!next(b, &e, err))
			return false;
		if (e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT)
			break;
		if (is_map && (b->open_n - first) % 2 == 0 && e.type != YAML_SCALAR_EVENT &&
		    e.type != YAML_ALIAS_EVENT)
			return fail_at(err, b, e.start_mark, "a key must be plain text");
		if (!build(b, &e, depth + 1, &child, err))
			return false;
		RX_GROW(b->open, b->open_n, b->open_cap);
		b->open[b->open_n++] = child;
	}
	size_t count = b->open_n - first;
	out->n = is_map ? count / 2 : count;
	if (!count)
		return true;
	const struct yamldoc *children = b->open + first;
	b->open_n = first;
	out->items = ARENA_ARRAY(b->arena, struct yamldoc, out->n);
	if (is_map)
		out->keys = ARENA_ARRAY(b->arena, struct yamldoc, out->n);
	for (size_t i = 0; i < out->n; i++) {
		out->items[i] = is_map ? children[2 * i + 1] : children[i];
		if (is_map)
			out->keys[i] = children[2 * i];
	}
	return !is_map || find_duplicate(b, out, err);
}

static bool build(struct builder *b, yaml_event_t *e, unsigned depth, struct yamldoc *out,
		  struct rx_err *err)
{
	if (depth > YAMLDOC_MAX_DEPTH) {
		fail_at(err, b, e->start_mark, "nested more than %d levels deep",
			YAMLDOC_MAX_DEPTH);
		err->code = RX_ELIMIT;
		return false;
	}
	if (++b->nodes > YAMLDOC_MAX_NODES) {
		fail_at(err, b, e->start_mark, "more than %u values", YAMLDOC_MAX_NODES);
		err->code = RX_ELIMIT;
		return false;
	}
	if (!plain_enough(b, e, err))
		return false;
	*out = (struct yamldoc){ .line = (unsigned)e->start_mark.line + 1,
				 .column = (unsigned)e->start_mark.column + 1 };
	if (e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT) {
		out->type = e->type == YAML_MAPPING_START_EVENT ? YAMLDOC_MAP : YAMLDOC_LIST;
		return build_inside(b, depth, out, err);
	}
	const char *text = (const char *)e->data.scalar.value;
	size_t n = e->data.scalar.length;
	if (memchr(text, 0, n))
		return fail_at(err, b, e->start_mark, "NUL characters are not allowed");
	out->type = YAMLDOC_SCALAR;
	out->text = arena_strn(b->arena, text, n);
	out->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return true;
}

/* The one document of the stream. */
static bool build_stream(struct builder *b, struct yamldoc *out, struct rx_err *err)
{
	bool any = false;

	*out = (struct yamldoc){ .type = YAMLDOC_MAP, .line = 1, .column = 1 };
	for (;;) {
		RX_CLEANUP(yaml_event_delete) yaml_event_t e;
		if (!next(b, &e, err))
			return false;
		if (e.type == YAML_STREAM_END_EVENT)
			return true;
		if (e.type == YAML_STREAM_START_EVENT || e.type == YAML_DOCUMENT_END_EVENT)
			continue;
		if (e.type == YAML_DOCUMENT_START_EVENT) {
			if (any)
				return fail_at(err, b, e.start_mark, "a second document begins");
			any = true;
			continue;
		}
		if (!build(b, &e, 0, out, err))
			return false;
	}
}

bool yamldoc_parse(struct arena *a, const char *name, struct rx_view text, struct yamldoc **out,
		   struct rx_err *err)
{
	struct builder b = { .arena = a, .name = name, .input = text };
	struct yamldoc doc;

	if (text.n > YAMLDOC_MAX_BYTES)
		return rx_fail(err, RX_ELIMIT, "%s: %zu bytes of YAML, the limit is %u", name,
			       text.n, YAMLDOC_MAX_BYTES);
	if (!yaml_parser_initialize(&b.yaml))
		abort(); /* out of memory */
	yaml_parser_set_input_string(&b.yaml, (const unsigned char *)(text.n ? text.p : ""),
				     text.n);
	/* Otherwise a byte order mark could make it UTF-16. */
	yaml_parser_set_encoding(&b.yaml, YAML_UTF8_ENCODING);
	bool ok = build_stream(&b, &doc, err);
	yaml_parser_delete(&b.yaml);
	free(b.open);
	if (ok)
		*out = arena_copy(a, &doc, sizeof(doc));
	return ok;
}

bool yamldoc_load(struct arena *a, const char *path, struct yamldoc **out, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };

	return file_read(AT_FDCWD, path, YAMLDOC_MAX_BYTES, &text, err) &&
	       yamldoc_parse(a, path, rx_view_of(&text), out, err);
}

const struct yamldoc *yamldoc_get(const struct yamldoc *map, const char *key)
{
	if (!map || map->type != YAMLDOC_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->keys[i].text, key) == 0)
			return &map->items[i];
	return NULL;
}

bool yamldoc_bool(const struct yamldoc *v, bool *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	if (!v || v->type != YAMLDOC_SCALAR || !v->plain)
		return false;
	for (size_t i = 0; i < RX_COUNT(words); i++) {
		if (strcmp(v->text, words[i]) != 0)
			continue;
		*out = i % 2;
		return true;
	}
	return false;
}

bool yamldoc_fail(struct rx_err *err, const char *name, const struct yamldoc *at, const char *fmt,
		  ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return rx_fail(err, RX_EUSAGE, "%s:%u:%u: %s", name, at->line, at->column, line);
}
