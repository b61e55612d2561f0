/* test_jsondoc: whole documents as trees, strictly. */
#include "jsonpull.h"

#include <criterion/criterion.h>

static struct jsondoc *parse(struct arena *a, const char *text)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct jsondoc *doc = NULL;

	cr_assert(jsondoc_parse(a, "t", rx_view_str(text), &doc, &err), "%s", rx_err_text(&err));
	return doc;
}

Test(jsondoc, trees)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	const struct jsondoc *d =
		parse(&a, "{\"a\":[1,{\"b\":\"x\\u0000y\"},[]],\"t\":true,\"n\":null,\"\":2}");
	int64_t v = -1;

	cr_assert_eq(d->type, JSON_OBJECT);
	cr_assert_eq(d->n, 4);
	const struct jsondoc *list = jsondoc_get(d, "a");
	cr_assert_eq(list->type, JSON_ARRAY);
	cr_assert_eq(list->n, 3);
	cr_assert_null(list->keys);
	cr_assert(rx_view_eq(jsondoc_get(&list->items[1], "b")->text, RX_VIEW("x\0y")));
	cr_assert_eq(list->items[2].n, 0);
	cr_assert(jsondoc_get(d, "t")->truth);
	cr_assert_eq(jsondoc_get(d, "n")->type, JSON_NULL);
	cr_assert(jsondoc_int(jsondoc_get(d, ""), &v));
	cr_assert_eq(v, 2);
	cr_assert_null(jsondoc_get(d, "absent"));
	cr_assert_null(jsondoc_get(list, "a"));
	cr_assert_null(jsondoc_get(NULL, "a"));
}

Test(jsondoc, integers)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	const struct jsondoc *d =
		parse(&a, "[-9223372036854775808,9223372036854775807,9223372036854775808,1.0,1e3,"
			  "\"1\",0,-0]");
	int64_t v = 7;

	cr_assert(jsondoc_int(&d->items[0], &v) && v == INT64_MIN);
	cr_assert(jsondoc_int(&d->items[1], &v) && v == INT64_MAX);
	v = 7;
	for (size_t i = 2; i < 6; i++)
		cr_assert_not(jsondoc_int(&d->items[i], &v));
	cr_assert_not(jsondoc_int(NULL, &v));
	cr_assert_eq(v, 7);
	cr_assert(jsondoc_int(&d->items[6], &v) && v == 0);
	cr_assert(jsondoc_int(&d->items[7], &v) && v == 0);
}

static void refuse_doc(const char *text, enum rx_code code, const char *want)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct jsondoc *doc = NULL;

	cr_assert_not(jsondoc_parse(&a, "t.json", rx_view_str(text), &doc, &err));
	cr_assert_null(doc);
	cr_assert_eq(err.code, code);
	cr_assert_not_null(strstr(rx_err_text(&err), want), "%s", rx_err_text(&err));
}

Test(jsondoc, duplicate_keys_are_refused)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf many = { 0 };

	refuse_doc("{\"a\":1,\"b\":2,\"\\u0061\":3}", RX_EPARSE, "'a' twice");
	refuse_doc("[{\"x\":{\"y\":0,\"y\":0}}]", RX_EPARSE, "'y' twice");
	rx_buf_add_char(&many, '{');
	for (int i = 0; i < 100; i++)
		rx_buf_addf(&many, "\"k%d\":0,", i);
	rx_buf_add_str(&many, "\"k42\":1}");
	refuse_doc(rx_buf_str(&many), RX_EPARSE, "'k42' twice");
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	cr_assert_eq(parse(&a, "{\"a\":{\"a\":1},\"b\":{\"a\":1}}")->n, 2);
}

Test(jsondoc, errors_name_the_place)
{
	refuse_doc("{\n \"a\": ?}", RX_EPARSE, "t.json:2:");
	refuse_doc("{}{}", RX_EPARSE, "t.json:1:");
}

Test(jsondoc, size_and_count_are_limited, .timeout = 100)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	size_t n = (size_t)JSONDOC_MAX_NODES * 2 + 10;
	RX_CLEANUP(xfreep) char *text = xmalloc(n);
	struct jsondoc *doc = NULL;

	for (size_t i = 0; i < n; i++)
		text[i] = i % 2 ? '1' : ',';
	text[0] = '[';
	cr_assert_not(jsondoc_parse(&a, "t", (struct rx_view){ text, n }, &doc, &err));
	cr_assert_eq(err.code, RX_ELIMIT, "%s", rx_err_text(&err));
	rx_err_reset(&err);
	cr_assert_not(jsondoc_parse(&a, "t", (struct rx_view){ text, JSONDOC_MAX_BYTES + 1ul },
				    &doc, &err));
	cr_assert_eq(err.code, RX_ELIMIT, "%s", rx_err_text(&err));
}
