/* fuzz_json: any bytes give the same tree twice, whatever the pieces, or an error with a place. */
#include "fuzz.h"

#include <stdlib.h>

#include "jsonpull.h"

struct feed {
	struct rx_view rest;
};

static int64_t one_byte(void *ctx, void *p, size_t n, struct rx_err *err)
{
	struct feed *f = ctx;

	(void)n;
	(void)err;
	if (!f->rest.n)
		return 0;
	*(char *)p = *f->rest.p++;
	f->rest.n--;
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 }, again = { 0 };
	struct feed f = { { (const char *)data, size } };
	struct jsonpull *j = jsonpull_new(one_byte, &f, false);
	struct jsonpull_event e = { .kind = JSONPULL_NULL };
	struct jsondoc *doc;
	bool pulled;

	while ((pulled = jsonpull_next(j, &e, &again)) && e.kind != JSONPULL_END)
		;
	jsonpull_free(j);
	bool parsed =
		jsondoc_parse(&a, "t", (struct rx_view){ (const char *)data, size }, &doc, &err);
	/* The tree alone may be refused for a duplicate key, with the word for it. */
	if (parsed != pulled && !(pulled && strstr(rx_err_text(&err), "' twice")))
		abort();
	if (!parsed && !rx_view_starts(rx_view_of(&err.msg), "t:"))
		abort();
	return 0;
}
