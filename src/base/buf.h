/* buf: byte views and bounded growing buffers; every allocation of the program goes through here or
 * through arena.
 *
 * rx_view reads, rx_buf builds. A full buffer (max reached) drops what does not fit and remembers
 * it in `full`: append freely, check once. Running out of memory ends the program; sizes from
 * outside are checked before. */
#pragma once

#include "compiler.h"

struct rx_view {
	const char *p;
	size_t n;
};
#define RX_VIEW(lit) ((struct rx_view){ (lit), sizeof(lit) - 1 })

struct rx_buf {
	char *p; /* NUL behind p[n] once anything was added; may be NULL when empty */
	size_t n, cap;
	size_t max; /* most bytes it may hold; 0 = RX_BUF_DEFAULT_MAX, so {0} is bounded too */
	bool full;
};
#define RX_BUF_DEFAULT_MAX 65536u
#define RX_BUF_NO_MAX      ((size_t)1 << 40)

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t n);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) RX_PRINTF(1, 2);
/* free() through a pointer to the pointer, for RX_CLEANUP(xfreep) char *s. */
void xfreep(void *pp);

struct rx_view rx_view_str(const char *s); /* NULL gives an empty view */
struct rx_view rx_view_of(const struct rx_buf *b);
bool rx_view_eq(struct rx_view a, struct rx_view b);
bool rx_view_eq_str(struct rx_view a, const char *s);
bool rx_view_starts(struct rx_view v, const char *prefix);
int rx_view_cmp(struct rx_view a, struct rx_view b); /* memcmp order, shorter first */

void rx_buf_add(struct rx_buf *b, const void *p, size_t n);
void rx_buf_add_str(struct rx_buf *b, const char *s);
void rx_buf_add_char(struct rx_buf *b, char c);
void rx_buf_addf(struct rx_buf *b, const char *fmt, ...) RX_PRINTF(2, 3);
void rx_buf_insert(struct rx_buf *b, size_t at, const void *p, size_t n);
/* n writable bytes behind the content, NULL (and full) when max forbids; rx_buf_grew tells how many
 * were written. */
char *rx_buf_reserve(struct rx_buf *b, size_t n);
void rx_buf_grew(struct rx_buf *b, size_t n);
void rx_buf_reset(struct rx_buf *b); /* empty, memory kept */
void rx_buf_release(struct rx_buf *b);
const char *rx_buf_str(const struct rx_buf *b); /* NUL-terminated, never NULL */
char *rx_buf_take(struct rx_buf *b);            /* caller frees; never NULL; b is empty again */

/* Makes room for element n of array v (any element type): RX_GROW(v, n, cap); v[n++] = x; */
#define RX_GROW(v, n, cap)                                                                         \
	do {                                                                                       \
		if ((n) >= (cap)) {                                                                \
			(cap) = (cap) ? (cap)*2 : 16;                                              \
			(v) = xrealloc((v), (cap) * sizeof(*(v)));                                 \
		}                                                                                  \
	} while (0)
