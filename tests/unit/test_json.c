/* test_json: what is written parses, and says what was meant. */
#include "json.h"

#include <criterion/criterion.h>
#include <math.h>

#include "jsonpull.h"

static struct rx_buf out;

static void release(void)
{
	rx_buf_release(&out);
}

TestSuite(json, .fini = release);

static void sample(struct json *j)
{
	json_object(j);
	json_kv_str(j, "s", "a\"b\\c\n\x01");
	json_kv_int(j, "i", INT64_MIN);
	json_kv_bool(j, "b", true);
	json_key(j, "list");
	json_array(j);
	json_double(j, 0.1);
	json_double(j, 1e300);
	json_double(j, NAN);
	json_null(j);
	json_str(j, NULL);
	json_array(j);
	json_end(j, ']');
	json_object(j);
	json_end(j, '}');
	json_end(j, ']');
	json_end(j, '}');
}

Test(json, compact)
{
	struct json j = { .out = &out };

	sample(&j);
	cr_assert_str_eq(rx_buf_str(&out),
			 "{\"s\":\"a\\\"b\\\\c\\n\\u0001\",\"i\":-9223372036854775808,\"b\":true,"
			 "\"list\":[0.1,1e+300,null,null,null,[],{}]}");
}

Test(json, pretty)
{
	struct json j = { .out = &out, .pretty = true };

	json_object(&j);
	json_kv_int(&j, "a", 1);
	json_key(&j, "b");
	json_array(&j);
	json_int(&j, 2);
	json_int(&j, 3);
	json_end(&j, ']');
	json_key(&j, "c");
	json_array(&j);
	json_end(&j, ']');
	json_end(&j, '}');
	cr_assert_str_eq(rx_buf_str(&out),
			 "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    3\n  ],\n  \"c\": []\n}");
}

Test(json, every_byte_is_written_as_utf8)
{
	struct json j = { .out = &out };

	for (int c = 0; c < 256; c++) {
		char text[3] = { 'x', (char)c, 'y' };
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
		struct jsondoc *doc;
		rx_buf_reset(&out);
		json_view(&j, (struct rx_view){ text, 3 });
		cr_assert(jsondoc_parse(&a, "t", rx_view_of(&out), &doc, &err), "%d: %s", c,
			  rx_err_text(&err));
		if (c < 128)
			cr_assert(rx_view_eq(doc->text, (struct rx_view){ text, 3 }), "%d", c);
		else
			cr_assert(rx_view_eq_str(doc->text, "x\xef\xbf\xbdy"), "%d", c);
	}
	rx_buf_reset(&out);
	json_str(&j, "\xc3\xa9\xf0\x9f\x98\x80");
	cr_assert_str_eq(rx_buf_str(&out), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

Test(json, doubles_come_back_the_same)
{
	static const double values[] = { 0,          -0.0, 1.0 / 3, 5e-324, 1.7976931348623157e308,
					 123456.789, 1e21 };

	for (size_t i = 0; i < RX_COUNT(values); i++) {
		struct json j = { .out = &out };
		rx_buf_reset(&out);
		json_double(&j, values[i]);
		cr_assert_eq(strtod(rx_buf_str(&out), NULL), values[i]);
	}
}

Test(json, too_deep_counts_as_incomplete)
{
	struct json j = { .out = &out };

	for (int i = 0; i < JSON_MAX_DEPTH; i++)
		json_array(&j);
	cr_assert_not(out.full);
	json_array(&j);
	json_int(&j, 1);
	cr_assert(out.full);
	for (int i = 0; i <= JSON_MAX_DEPTH; i++)
		json_end(&j, ']');
	cr_assert_eq(j.depth, 0);
}
