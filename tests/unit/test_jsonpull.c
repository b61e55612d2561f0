/* test_jsonpull: JSON from outside, in pieces of any size. */
#include "jsonpull.h"

#include <criterion/criterion.h>

struct feed {
	struct rx_view rest;
	size_t step;
	bool fail;
};

static int64_t read_feed(void *ctx, void *p, size_t n, struct rx_err *err)
{
	struct feed *f = ctx;

	if (f->fail && !f->rest.n) {
		rx_fail(err, RX_EIO, "the disk is gone");
		return -1;
	}
	n = RX_MIN(RX_MIN(n, f->step), f->rest.n);
	if (n)
		memcpy(p, f->rest.p, n);
	f->rest.p += n;
	f->rest.n -= n;
	return (int64_t)n;
}

/* All events as text: { } [ ] k:key s:string n:number t f 0 and the offset of each. */
static bool events(struct feed f, bool many, struct rx_buf *out, struct rx_err *err)
{
	struct jsonpull *j = jsonpull_new(read_feed, &f, many);
	struct jsonpull_event e;
	bool ok;

	while ((ok = jsonpull_next(j, &e, err)) && e.kind != JSONPULL_END) {
		rx_buf_addf(out, "%c", "?{}[]ksnb0"[e.kind]);
		if (e.kind == JSONPULL_KEY || e.kind == JSONPULL_STRING ||
		    e.kind == JSONPULL_NUMBER)
			rx_buf_add(out, e.text.p, e.text.n);
		if (e.kind == JSONPULL_BOOL)
			rx_buf_addf(out, "%d", e.truth);
		rx_buf_addf(out, "@%" PRId64 " ", e.offset);
	}
	if (ok)
		cr_assert(jsonpull_next(j, &e, err) && e.kind == JSONPULL_END, "it stays the end");
	else {
		RX_CLEANUP(rx_err_release) struct rx_err again = { 0 };
		cr_assert_not(jsonpull_next(j, &e, &again), "it stays failed");
	}
	jsonpull_free(j);
	return ok;
}

Test(jsonpull, pieces_of_any_size_give_the_same_events)
{
	static const char text[] =
		"{\"a\": [1, -2.5e3, true,false,null, \"x\\u00e9\\ud83d\\ude00\"],\n"
		" \"\\u0062\": {}, \"c\": \"\xc3\xa9\"}";
	static const char want[] =
		"{@1 ka@4 [@7 n1@8 n-2.5e3@16 b1@22 b0@28 0@33 sx\xc3\xa9\xf0\x9f\x98\x80@56 ]@57 "
		"kb@68 {@71 }@72 kc@77 s\xc3\xa9@83 }@84 ";

	for (size_t step = 1; step < sizeof(text); step++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
		RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
		struct feed f = { RX_VIEW(text), step, false };
		f.rest.n = strlen(text);
		cr_assert(events(f, false, &out, &err), "%s", rx_err_text(&err));
		cr_assert_str_eq(rx_buf_str(&out), want);
	}
}

Test(jsonpull, several_values_only_when_asked)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct feed f = { RX_VIEW("{} [] 1\n2"), 3, false };

	cr_assert(events(f, true, &out, &err), "%s", rx_err_text(&err));
	cr_assert_str_eq(rx_buf_str(&out), "{@1 }@2 [@4 ]@5 n1@7 n2@9 ");
	rx_buf_reset(&out);
	cr_assert_not(events(f, false, &out, &err));
	cr_assert_eq(err.code, RX_EPARSE);
	cr_assert_str_eq(rx_buf_str(&out), "{@1 }@2 ", "what came before the error is delivered");
}

Test(jsonpull, a_failing_reader_is_heard)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct feed f = { RX_VIEW("[1,"), 100, true };

	cr_assert_not(events(f, false, &out, &err));
	cr_assert_eq(err.code, RX_EIO);
	cr_assert_str_eq(rx_err_text(&err), "the disk is gone");
	cr_assert_str_eq(rx_buf_str(&out), "[@1 n1@2 ");
}

Test(jsonpull, endless_tokens_are_stopped, .timeout = 60)
{
	static const char *const starts[] = { "\"", "[ ", "1" };
	static const char fill[] = { 'x', ' ', '1' };
	size_t n = JSONPULL_MAX_TOKEN + 200000;
	RX_CLEANUP(xfreep) char *text = xmalloc(n);

	for (size_t i = 0; i < RX_COUNT(starts); i++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
		RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
		memset(text, fill[i], n);
		memcpy(text, starts[i], strlen(starts[i]));
		struct feed f = { { text, n }, n, false };
		cr_assert_not(events(f, false, &out, &err));
		cr_assert_eq(err.code, RX_ELIMIT, "%s", rx_err_text(&err));
	}
}

/* In pieces that each end within the string. */
Test(jsonpull, long_strings_take_linear_time, .timeout = 60)
{
	size_t n = 20 << 20;
	RX_CLEANUP(xfreep) char *text = xmalloc(n);
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { .max = RX_BUF_NO_MAX };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	memset(text, 'x', n);
	text[0] = text[n - 1] = '"';
	struct feed f = { { text, n }, 1000, false };
	cr_assert(events(f, false, &out, &err), "%s", rx_err_text(&err));
	cr_assert_gt(out.n, n - 2);
}

static void refuse(const char *text, size_t n, enum rx_code code, const char *want)
{
	for (size_t step = 1; step <= 64; step *= 8) {
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
		RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
		struct feed f = { { text, n }, step, false };
		cr_assert_not(events(f, false, &out, &err), "'%s'", text);
		cr_assert_eq(err.code, code, "'%s': %s", text, rx_err_text(&err));
		if (want)
			cr_assert(rx_view_starts(rx_view_of(&err.msg), want), "'%s': %s, not %s",
				  text, rx_err_text(&err), want);
	}
}

Test(jsonpull, malformed_text_is_refused_where_it_goes_wrong)
{
	static const char *const bad[][2] = {
		{ "", "1:1:" },
		{ "  \n ", "2:2:" },
		{ "[1,", "1:4:" },
		{ "[1,]", NULL },
		{ "{\"a\"}", NULL },
		{ "{\"a\":1,}", NULL },
		{ "{a:1}", NULL },
		{ "[1 2]", NULL },
		{ "[01]", NULL },
		{ "[.5]", NULL },
		{ "[1.]", NULL },
		{ "[-]", NULL },
		{ "[+1]", NULL },
		{ "[1e]", NULL },
		{ "[NaN]", NULL },
		{ "['x']", NULL },
		{ "[\"\\x\"]", NULL },
		{ "[\"\\u12g4\"]", NULL },
		{ "[\"a\nb\"]", NULL },
		{ "\"abc", NULL },
		{ "[1]]", NULL },
		{ "[1}", NULL },
		{ "// x\n1", NULL },
		{ "\xef\xbb\xbf[]", NULL },
		{ "[\n \"a\",\n  tru ]", "3:" },
		{ "[\"\xff\"]", "1:" },
		{ "[\"\xc0\x80\"]", "1:" },
		{ "[\"\xed\xa0\x80\"]", "1:" },
		{ "[\"\\ud800\"]", "1:" },
		{ "[\"\\udc00\"]", "1:" },
		{ "[\"\\ud800x\"]", "1:" },
		{ "[\"\\ud800\\n\"]", "1:" },
		{ "[\"\\ud800\\ud800\"]", "1:" },
		{ "[\"\\uD83D\\u0041\"]", "1:" },
	};

	for (size_t i = 0; i < RX_COUNT(bad); i++)
		refuse(bad[i][0], strlen(bad[i][0]), RX_EPARSE, bad[i][1]);
	refuse("[1\0]", 4, RX_EPARSE, "1:");
	refuse("[\"\0\"]", 5, RX_EPARSE, "1:");
}

Test(jsonpull, nesting_is_limited_exactly)
{
	char text[2 * JSONPULL_MAX_DEPTH + 3];
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct jsondoc *doc = NULL;

	memset(text, '[', JSONPULL_MAX_DEPTH);
	memset(text + JSONPULL_MAX_DEPTH, ']', JSONPULL_MAX_DEPTH);
	cr_assert(jsondoc_parse(&a, "t", (struct rx_view){ text, 2 * JSONPULL_MAX_DEPTH }, &doc,
				&err),
		  "%s", rx_err_text(&err));
	memset(text, '[', sizeof(text));
	refuse(text, JSONPULL_MAX_DEPTH + 1, RX_ELIMIT, "1:");
	doc = NULL;
	cr_assert_not(jsondoc_parse(&a, "t", (struct rx_view){ text, sizeof(text) }, &doc, &err));
	cr_assert_eq(err.code, RX_ELIMIT);
	cr_assert_null(doc);
}
