/* json: writes JSON with commas, quoting and indentation in the right places. */
#include "json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static void newline(struct json *j)
{
	rx_buf_add_char(j->out, '\n');
	for (unsigned i = 0; i < j->depth; i++)
		rx_buf_add_str(j->out, "  ");
}

/* What stands between this value or key and the one before. */
static void separate(struct json *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (!j->depth || j->depth > JSON_MAX_DEPTH)
		return;
	if (j->comma[j->depth - 1])
		rx_buf_add_char(j->out, ',');
	j->comma[j->depth - 1] = true;
	if (j->pretty)
		newline(j);
}

static void open_level(struct json *j, char c)
{
	separate(j);
	rx_buf_add_char(j->out, c);
	if (j->depth < JSON_MAX_DEPTH)
		j->comma[j->depth] = false;
	else
		j->out->full = true; /* incomplete, as when the buffer's maximum is reached */
	j->depth++;
}

void json_object(struct json *j)
{
	open_level(j, '{');
}

void json_array(struct json *j)
{
	open_level(j, '[');
}

void json_end(struct json *j, char close)
{
	assert(j->depth);
	bool any = --j->depth < JSON_MAX_DEPTH && j->comma[j->depth];

	if (any && j->pretty)
		newline(j);
	rx_buf_add_char(j->out, close);
}

static void quote(struct json *j, struct rx_view v)
{
	static const char short_form[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	size_t plain = 0;

	rx_buf_add_char(j->out, '"');
	for (size_t i = 0; i < v.n;) {
		unsigned char c = (unsigned char)v.p[i];
		size_t len = utf8_sequence(v.p + i, v.n - i);
		if (len && c >= 0x20 && c != '"' && c != '\\') {
			i += len;
			continue;
		}
		rx_buf_add(j->out, v.p + plain, i - plain);
		plain = ++i;
		const char *known = c ? strchr(short_form, c) : NULL;
		/* Pairs: what is found may be the letter of another pair. */
		if (known && c < 0x80 && (known - short_form) % 2 == 0)
			rx_buf_add(j->out, (char[]){ '\\', known[1] }, 2);
		else if (c < 0x20)
			rx_buf_addf(j->out, "\\u%04x", c);
		else
			rx_buf_add_str(j->out, "\xef\xbf\xbd");
	}
	if (v.n)
		rx_buf_add(j->out, v.p + plain, v.n - plain);
	rx_buf_add_char(j->out, '"');
}

void json_key(struct json *j, const char *key)
{
	separate(j);
	quote(j, rx_view_str(key));
	rx_buf_add_str(j->out, j->pretty ? ": " : ":");
	j->after_key = true;
}

void json_view(struct json *j, struct rx_view v)
{
	separate(j);
	quote(j, v);
}

void json_str(struct json *j, const char *s)
{
	if (s)
		json_view(j, rx_view_str(s));
	else
		json_null(j);
}

void json_int(struct json *j, int64_t v)
{
	separate(j);
	rx_buf_addf(j->out, "%" PRId64, v);
}

void json_double(struct json *j, double v)
{
	char text[40];

	/* JSON has no infinity. */
	if (!isfinite(v)) {
		json_null(j);
		return;
	}
	separate(j);
	/* As short as it comes back the same; 17 digits always do. */
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	char *comma = strchr(text, ',');
	if (comma)
		*comma = '.'; /* some locales */
	rx_buf_add_str(j->out, text);
}

void json_bool(struct json *j, bool v)
{
	separate(j);
	rx_buf_add_str(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
	separate(j);
	rx_buf_add_str(j->out, "null");
}

void json_kv_str(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_str(j, s);
}

void json_kv_int(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

void json_kv_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}
