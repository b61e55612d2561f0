/* jsonpull: turns yajl's callbacks into a queue of events, a slice of input at a time. Trees are in
 * jsondoc.c. */
#include "jsonpull.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "utf8.h"

#define CHUNK_BYTES 65536u
#define SLICE_BYTES 8192u /* parsed at a time: its events stay in the cache */

struct queued {
	enum jsonpull_kind kind;
	bool truth;
	size_t at, n; /* in text */
	int64_t offset;
};

/* yajl does not look at \u escapes in pairs: a surrogate without its other half would become '?' or
 * something else. These follow the escapes of the raw input. */
enum escape { ESCAPE_NONE, ESCAPE_BACKSLASH, ESCAPE_DIGITS };

struct jsonpull {
	int64_t (*read)(void *ctx, void *p, size_t n, struct rx_err *err);
	void *ctx;
	yajl_handle yajl;
	unsigned char *chunk;
	size_t chunk_cap, chunk_n, chunk_at;
	bool input_ended, parsed_all;

	struct queued *queue;
	size_t queue_n, queue_cap, queue_at;
	struct rx_buf text; /* of the queued events */

	unsigned depth;
	int64_t slice_start; /* offset of the slice being parsed */
	int64_t token_end;   /* of the last event */
	unsigned line;       /* complete lines before slice_start */
	int64_t line_start;  /* offset of the line that slice_start is in */

	enum escape escape;
	unsigned digits, value;
	bool high; /* a high surrogate waits for its low one */

	struct rx_err err; /* reported once the queue is empty */
};

static int64_t here(const struct jsonpull *j)
{
	return j->slice_start + (int64_t)yajl_get_bytes_consumed(j->yajl);
}

static int push(struct jsonpull *j, enum jsonpull_kind kind, const void *p, size_t n, bool truth)
{
	size_t at = j->text.n;

	if (n)
		rx_buf_add(&j->text, p, n);
	RX_GROW(j->queue, j->queue_n, j->queue_cap);
	j->token_end = here(j);
	j->queue[j->queue_n++] = (struct queued){ kind, truth, at, n, j->token_end };
	return 1;
}

static int push_text(struct jsonpull *j, enum jsonpull_kind kind, const void *p, size_t n)
{
	if (n > JSONPULL_MAX_TOKEN) {
		rx_fail(&j->err, RX_ELIMIT, "a string is longer than %u bytes", JSONPULL_MAX_TOKEN);
		return 0;
	}
	if (!utf8_valid(p, n)) {
		rx_fail(&j->err, RX_EPARSE, "a string is not UTF-8");
		return 0;
	}
	return push(j, kind, p, n, false);
}

static int push_open(struct jsonpull *j, enum jsonpull_kind kind)
{
	if (j->depth >= JSONPULL_MAX_DEPTH) {
		rx_fail(&j->err, RX_ELIMIT, "nested more than %d levels deep", JSONPULL_MAX_DEPTH);
		return 0;
	}
	j->depth++;
	return push(j, kind, NULL, 0, false);
}

static int push_close(struct jsonpull *j, enum jsonpull_kind kind)
{
	j->depth--;
	return push(j, kind, NULL, 0, false);
}

static int on_null(void *ctx)
{
	return push(ctx, JSONPULL_NULL, NULL, 0, false);
}

static int on_bool(void *ctx, int truth)
{
	return push(ctx, JSONPULL_BOOL, NULL, 0, truth != 0);
}

static int on_number(void *ctx, const char *p, size_t n)
{
	return push_text(ctx, JSONPULL_NUMBER, p, n);
}

static int on_string(void *ctx, const unsigned char *p, size_t n)
{
	return push_text(ctx, JSONPULL_STRING, p, n);
}

static int on_key(void *ctx, const unsigned char *p, size_t n)
{
	return push_text(ctx, JSONPULL_KEY, p, n);
}

static int on_object(void *ctx)
{
	return push_open(ctx, JSONPULL_OBJECT);
}

static int on_object_end(void *ctx)
{
	return push_close(ctx, JSONPULL_OBJECT_END);
}

static int on_array(void *ctx)
{
	return push_open(ctx, JSONPULL_ARRAY);
}

static int on_array_end(void *ctx)
{
	return push_close(ctx, JSONPULL_ARRAY_END);
}

static void *yajl_xmalloc(void *ctx, size_t n)
{
	(void)ctx;
	return xmalloc(n);
}

static void *yajl_xrealloc(void *ctx, void *p, size_t n)
{
	(void)ctx;
	return xrealloc(p, n);
}

static void yajl_xfree(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

struct jsonpull *jsonpull_new(int64_t (*read)(void *ctx, void *p, size_t n, struct rx_err *err),
			      void *ctx, bool many)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_bool,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_object,
		.yajl_map_key = on_key,
		.yajl_end_map = on_object_end,
		.yajl_start_array = on_array,
		.yajl_end_array = on_array_end,
	};
	static yajl_alloc_funcs functions = { yajl_xmalloc, yajl_xrealloc, yajl_xfree, NULL };
	struct jsonpull *j = xcalloc(1, sizeof(*j));

	j->read = read;
	j->ctx = ctx;
	j->chunk = xmalloc(CHUNK_BYTES);
	j->chunk_cap = CHUNK_BYTES;
	j->text.max = RX_BUF_NO_MAX; /* bounded by JSONPULL_MAX_TOKEN and the slice */
	j->yajl = yajl_alloc(&callbacks, &functions, j);
	/* Its own check lets overlong forms through; push_text has a full one. */
	yajl_config(j->yajl, yajl_dont_validate_strings, 1);
	if (many)
		yajl_config(j->yajl, yajl_allow_multiple_values, 1);
	return j;
}

void jsonpull_free(struct jsonpull *j)
{
	if (!j)
		return;
	if (j->yajl)
		yajl_free(j->yajl);
	rx_buf_release(&j->text);
	rx_err_release(&j->err);
	free(j->queue);
	free(j->chunk);
	free(j);
}

/* Puts "line:column: " before the message; n bytes of the slice at p are good. */
static void locate(struct jsonpull *j, const unsigned char *p, size_t n)
{
	unsigned line = j->line + 1;
	int64_t start = j->line_start;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n')
			continue;
		line++;
		start = j->slice_start + (int64_t)i + 1;
	}
	rx_wrap(&j->err, "%u:%" PRId64, line, j->slice_start + (int64_t)n - start + 1);
}

/* The message without "lexical error: " in front and the newline behind. */
static void fail_yajl(struct jsonpull *j)
{
	unsigned char *text = yajl_get_error(j->yajl, 0, NULL, 0);
	const char *why = (const char *)text;
	const char *colon = strstr(why, "error: ");

	if (colon)
		why = colon + strlen("error: ");
	rx_fail(&j->err, RX_EPARSE, "%.*s", (int)strcspn(why, "\n"), why);
	yajl_free_error(j->yajl, text);
}

static int digit_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Follows one byte; false when it completes half a surrogate pair. Anything else that is wrong is
 * yajl's to find. */
static bool escape_step(struct jsonpull *j, unsigned char c)
{
	int digit;

	switch (j->escape) {
	case ESCAPE_NONE:
		if (c == '\\')
			j->escape = ESCAPE_BACKSLASH;
		return c == '\\' || !j->high;
	case ESCAPE_BACKSLASH:
		j->escape = c == 'u' ? ESCAPE_DIGITS : ESCAPE_NONE;
		j->digits = j->value = 0;
		return c == 'u' || !j->high;
	case ESCAPE_DIGITS:
		digit = digit_value(c);
		if (digit < 0) {
			j->escape = ESCAPE_NONE;
			return true;
		}
		j->value = j->value << 4 | (unsigned)digit;
		if (++j->digits < 4)
			return true;
		j->escape = ESCAPE_NONE;
		bool low = j->value >= 0xdc00 && j->value <= 0xdfff;
		bool wanted = j->high;
		j->high = j->value >= 0xd800 && j->value <= 0xdbff;
		return low == wanted;
	}
	return true;
}

/* How many bytes can be given to yajl; fewer than n when an escape is wrong. */
static size_t check_escapes(struct jsonpull *j, const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (j->escape == ESCAPE_NONE && !j->high) {
			const unsigned char *next = memchr(p + i, '\\', n - i);
			if (!next)
				return n;
			i = (size_t)(next - p);
		}
		if (!escape_step(j, p[i]))
			return i;
		i++;
	}
	return n;
}

/* Bytes since the last token. yajl reads an unfinished token again from its start with every slice,
 * so the next slice must be as long as the token is by now: otherwise long strings take quadratic
 * time. */
static size_t pending(const struct jsonpull *j)
{
	return (size_t)(j->slice_start - j->token_end);
}

static bool read_chunk(struct jsonpull *j)
{
	size_t least = pending(j);

	if (least > j->chunk_cap) {
		j->chunk = xrealloc(j->chunk, least);
		j->chunk_cap = least;
	}
	j->chunk_n = j->chunk_at = 0;
	do {
		int64_t got =
			j->read(j->ctx, j->chunk + j->chunk_n, j->chunk_cap - j->chunk_n, &j->err);
		if (got < 0)
			return false;
		j->chunk_n += (size_t)got;
		j->input_ended = got == 0;
	} while (!j->input_ended && j->chunk_n < least);
	return true;
}

/* Parses the next slice of the chunk into the queue. */
static void parse_slice(struct jsonpull *j)
{
	const unsigned char *p = j->chunk + j->chunk_at;
	size_t n = RX_MIN(j->chunk_n - j->chunk_at, RX_MAX(SLICE_BYTES, pending(j)));
	size_t good = check_escapes(j, p, n);
	yajl_status status = yajl_parse(j->yajl, p, good);

	if (status != yajl_status_ok) {
		if (j->err.code == RX_OK)
			fail_yajl(j);
		size_t at = yajl_get_bytes_consumed(j->yajl);
		locate(j, p, RX_MIN(at, good));
		return;
	}
	if (good < n) {
		rx_fail(&j->err, RX_EPARSE, "half of a surrogate pair");
		locate(j, p, good);
		return;
	}
	for (const unsigned char *at = p; (at = memchr(at, '\n', n - (size_t)(at - p)));) {
		at++;
		j->line++;
		j->line_start = j->slice_start + (at - p);
	}
	j->slice_start += (int64_t)n;
	j->chunk_at += n;
	/* yajl keeps an unfinished token in memory whole. */
	if (pending(j) > JSONPULL_MAX_TOKEN) {
		rx_fail(&j->err, RX_ELIMIT, "a string is longer than %u bytes", JSONPULL_MAX_TOKEN);
		locate(j, p + n, 0);
	}
}

static void parse_end(struct jsonpull *j)
{
	j->parsed_all = true;
	if (yajl_complete_parse(j->yajl) == yajl_status_ok)
		return;
	if (j->err.code == RX_OK)
		fail_yajl(j);
	locate(j, j->chunk, 0);
}

/* Fills the empty queue, ends the input, or sets j->err. */
static void fill(struct jsonpull *j)
{
	j->queue_n = j->queue_at = 0;
	rx_buf_reset(&j->text);
	if (j->chunk_at == j->chunk_n && !j->input_ended && !read_chunk(j))
		return;
	if (j->chunk_at < j->chunk_n)
		parse_slice(j);
	else
		parse_end(j);
}

bool jsonpull_next(struct jsonpull *j, struct jsonpull_event *out, struct rx_err *err)
{
	while (j->queue_at == j->queue_n && j->err.code == RX_OK && !j->parsed_all)
		fill(j);
	if (j->queue_at < j->queue_n) {
		const struct queued *q = &j->queue[j->queue_at++];
		*out = (struct jsonpull_event){
			.kind = q->kind,
			.text = { rx_buf_str(&j->text) + q->at, q->n },
			.truth = q->truth,
			.offset = q->offset,
		};
		return true;
	}
	if (j->err.code != RX_OK) {
		rx_err_move(err, &j->err);
		/* Whoever asks again does not get half a document as a whole one. */
		rx_fail(&j->err, RX_EPARSE, "reading went on after an error");
		return false;
	}
	*out = (struct jsonpull_event){ .kind = JSONPULL_END, .offset = j->slice_start };
	return true;
}
