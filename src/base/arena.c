/* arena: chunks of doubling size; big pieces get a chunk of their own behind the current one. */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 4096u
#define CHUNK_MAX (1u << 20)
#define ALIGN     16u

/* Under AddressSanitizer unused bytes are poisoned and pieces lie apart, so that running past the
 * end of one is seen as with malloc. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define POISONING
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define POISONING
#endif
#ifdef POISONING
#include <sanitizer/asan_interface.h>
#define GAP 16u
#else
#define GAP                               0u
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data */
	_Alignas(ALIGN) char data[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t size)
{
	struct arena_chunk *c = xmalloc(sizeof(*c) + size);

	c->next = NULL;
	c->size = size;
	a->total += sizeof(*c) + size;
	ASAN_POISON_MEMORY_REGION(c->data, size);
	return c;
}

static size_t padded(size_t n)
{
	return (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static void *alloc_slow(struct arena *a, size_t n, size_t need)
{
	size_t size = a->chunk ? RX_MIN(a->chunk->size * 2, CHUNK_MAX) : CHUNK_MIN;
	struct arena_chunk *c;

	if (a->chunk && need > size / 4) {
		c = chunk_new(a, need);
		c->next = a->chunk->next;
		a->chunk->next = c;
	} else {
		c = chunk_new(a, RX_MAX(size, need));
		c->next = a->chunk;
		a->chunk = c;
		a->at = c->data + need;
		a->end = c->data + c->size;
	}
	ASAN_UNPOISON_MEMORY_REGION(c->data, n);
	return c->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > PTRDIFF_MAX / 2)
		return xmalloc(SIZE_MAX); /* ends the program */
	size_t need = padded(n ? n : 1) + GAP;

	if ((size_t)(a->end - a->at) < need)
		return alloc_slow(a, n, need);
	void *p = a->at;
	a->at += need;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

void *arena_copy(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_alloc(a, n);

	return n ? memcpy(copy, p, n) : copy;
}

char *arena_str(struct arena *a, const char *s)
{
	return s ? arena_copy(a, s, strlen(s) + 1) : NULL;
}

char *arena_strn(struct arena *a, const char *s, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	size_t len = n > 0 ? (size_t)n : 0;
	char *text = arena_alloc(a, len + 1);
	text[0] = '\0';
	(void)vsnprintf(text, len + 1, fmt, again);
	va_end(again);
	return text;
}

struct rx_view arena_view(struct arena *a, struct rx_view v)
{
	return (struct rx_view){ arena_strn(a, v.p, v.n), v.n };
}

static void chunks_free(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;
		free(c);
		c = next;
	}
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->chunk;

	if (!keep)
		return;
	/* One giant first piece must not be held for ever. */
	if (keep->size > CHUNK_MAX) {
		arena_release(a);
		return;
	}
	chunks_free(keep->next);
	keep->next = NULL;
	a->at = keep->data;
	a->end = keep->data + keep->size;
	a->total = sizeof(*keep) + keep->size;
	ASAN_POISON_MEMORY_REGION(keep->data, keep->size);
}

void arena_release(struct arena *a)
{
	if (!a)
		return;
	chunks_free(a->chunk);
	*a = (struct arena){ 0 };
}
