/* yamldoc: small YAML files (configuration, rules) as trees that know their line and column, over
 * libyaml. Anchors and tags are refused, duplicate keys are errors, depth and size are limited. A
 * text without any document is an empty map. */
#pragma once

#include "arena.h"
#include "err.h"

#define YAMLDOC_MAX_BYTES (8u << 20)
#define YAMLDOC_MAX_DEPTH 64
#define YAMLDOC_MAX_NODES (1u << 20)

enum yamldoc_type { YAMLDOC_SCALAR, YAMLDOC_LIST, YAMLDOC_MAP };
struct yamldoc {
	enum yamldoc_type type;
	const char *text;      /* scalar; NUL bytes are refused */
	bool plain;            /* not quoted */
	struct yamldoc *items; /* list elements or map values */
	struct yamldoc *keys;  /* map keys (scalars), same count */
	size_t n;
	unsigned line, column; /* from 1 */
};
RX_MUST_USE bool yamldoc_parse(struct arena *a, const char *name, struct rx_view text,
			       struct yamldoc **out, struct rx_err *err);
RX_MUST_USE bool yamldoc_load(struct arena *a, const char *path, struct yamldoc **out,
			      struct rx_err *err);
const struct yamldoc *yamldoc_get(const struct yamldoc *map, const char *key);
/* true/false/yes/no/on/off, plain only. */
bool yamldoc_bool(const struct yamldoc *v, bool *out);
/* RX_EUSAGE "name:line:col: ..." */
bool yamldoc_fail(struct rx_err *err, const char *name, const struct yamldoc *at, const char *fmt,
		  ...) RX_PRINTF(4, 5);
