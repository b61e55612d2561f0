/* fuzz_yaml: any bytes give a tree within its limits or an error with a place. */
#include "fuzz.h"

#include <stdlib.h>

#include "yamldoc.h"

static void check(const struct yamldoc *d, unsigned depth)
{
	if (depth > YAMLDOC_MAX_DEPTH || !d->line || !d->column)
		abort();
	if (d->type == YAMLDOC_SCALAR && !d->text)
		abort();
	for (size_t i = 0; i < d->n; i++) {
		check(&d->items[i], depth + 1);
		/* the first of equal keys would be found, and there are none */
		if (d->type == YAMLDOC_MAP && yamldoc_get(d, d->keys[i].text) != &d->items[i])
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct yamldoc *doc;

	if (yamldoc_parse(&a, "t", (struct rx_view){ (const char *)data, size }, &doc, &err))
		check(doc, 0);
	else if (!rx_view_starts(rx_view_of(&err.msg), "t:"))
		abort();
	return 0;
}
