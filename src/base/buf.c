/* buf: the allocation functions of the program, views and bounded buffers. */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static RX_NORETURN void out_of_memory(void)
{
	static const char text[] = "remex: out of memory\n";
	ssize_t ignored = write(2, text, sizeof(text) - 1);

	(void)ignored;
	abort();
}

void *xmalloc(size_t n)
{
	void *p = n <= PTRDIFF_MAX ? malloc(n ? n : 1) : NULL;

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t count, size_t n)
{
	void *p = count && n ? calloc(count, n) : calloc(1, 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t n)
{
	void *grown = n <= PTRDIFF_MAX ? realloc(p, n ? n : 1) : NULL;

	if (!grown)
		out_of_memory();
	return grown;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = xmalloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return text;
}

void xfreep(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}

struct rx_view rx_view_str(const char *s)
{
	return (struct rx_view){ s ? s : "", s ? strlen(s) : 0 };
}

struct rx_view rx_view_of(const struct rx_buf *b)
{
	return (struct rx_view){ b->p ? b->p : "", b->n };
}

bool rx_view_eq(struct rx_view a, struct rx_view b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool rx_view_eq_str(struct rx_view a, const char *s)
{
	return rx_view_eq(a, rx_view_str(s));
}

bool rx_view_starts(struct rx_view v, const char *prefix)
{
	size_t n = strlen(prefix);

	return n == 0 || (v.n >= n && memcmp(v.p, prefix, n) == 0);
}

int rx_view_cmp(struct rx_view a, struct rx_view b)
{
	size_t n = RX_MIN(a.n, b.n);
	int order = n ? memcmp(a.p, b.p, n) : 0;

	if (order)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

static size_t buf_max(const struct rx_buf *b)
{
	return b->max ? b->max : RX_BUF_DEFAULT_MAX;
}

static size_t buf_room(const struct rx_buf *b)
{
	size_t max = buf_max(b);

	return b->n < max ? max - b->n : 0;
}

/* Memory for n more bytes and the NUL; n is within buf_room. */
static void buf_grow(struct rx_buf *b, size_t n)
{
	size_t need = b->n + n + 1;

	if (need <= b->cap)
		return;
	size_t cap = b->cap > SIZE_MAX / 2 ? need : b->cap * 2;
	cap = RX_MAX(cap, need);
	cap = RX_MAX(cap, 64);
	if (buf_max(b) < SIZE_MAX)
		cap = RX_MAX(RX_MIN(cap, buf_max(b) + 1), need);
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
}

void rx_buf_add(struct rx_buf *b, const void *p, size_t n)
{
	if (b->full)
		return;
	size_t fits = buf_room(b);

	if (n > fits) {
		n = fits;
		b->full = true;
	}
	buf_grow(b, n);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void rx_buf_add_str(struct rx_buf *b, const char *s)
{
	rx_buf_add(b, s, strlen(s));
}

void rx_buf_add_char(struct rx_buf *b, char c)
{
	rx_buf_add(b, &c, 1);
}

static RX_PRINTF(2, 0) void buf_vaddf(struct rx_buf *b, const char *fmt, va_list ap)
{
	if (b->full)
		return;
	va_list again;

	va_copy(again, ap);
	size_t have = b->cap > b->n ? b->cap - b->n : 0;
	int len = vsnprintf(have ? b->p + b->n : NULL, have, fmt, ap);
	if (len < 0)
		out_of_memory();
	size_t n = (size_t)len;
	if (n > buf_room(b)) {
		n = buf_room(b);
		b->full = true;
	}
	if (n + 1 > have) {
		buf_grow(b, n);
		(void)vsnprintf(b->p + b->n, n + 1, fmt, again);
	}
	va_end(again);
	b->n += n;
	b->p[b->n] = '\0';
}

void rx_buf_addf(struct rx_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

/* What a full buffer holds is always the beginning of what it would hold without a maximum, so an
 * insertion pushes the end out. */
void rx_buf_insert(struct rx_buf *b, size_t at, const void *p, size_t n)
{
	size_t max = buf_max(b);

	assert(at <= b->n);
	if (n > buf_room(b))
		b->full = true;
	n = at < max ? RX_MIN(n, max - at) : 0;
	size_t tail = RX_MIN(b->n - at, max - at - n);
	size_t total = at + n + tail;
	if (total > b->n)
		buf_grow(b, total - b->n);
	if (!b->p)
		return;
	memmove(b->p + at + n, b->p + at, tail);
	if (n)
		memcpy(b->p + at, p, n);
	b->n = total;
	b->p[b->n] = '\0';
}

char *rx_buf_reserve(struct rx_buf *b, size_t n)
{
	if (b->full || n > buf_room(b)) {
		b->full = true;
		return NULL;
	}
	buf_grow(b, n);
	b->p[b->n] = '\0';
	return b->p + b->n;
}

void rx_buf_grew(struct rx_buf *b, size_t n)
{
	assert(b->n + n < b->cap);
	b->n += n;
	b->p[b->n] = '\0';
}

void rx_buf_reset(struct rx_buf *b)
{
	b->n = 0;
	b->full = false;
	if (b->p)
		b->p[0] = '\0';
}

void rx_buf_release(struct rx_buf *b)
{
	if (!b)
		return;
	free(b->p);
	*b = (struct rx_buf){ .max = b->max };
}

const char *rx_buf_str(const struct rx_buf *b)
{
	return b->p ? b->p : "";
}

char *rx_buf_take(struct rx_buf *b)
{
	char *p = b->p ? b->p : xstrdup("");

	*b = (struct rx_buf){ .max = b->max };
	return p;
}
