/* arena: bump allocation freed all at once, one per action, call or worker. {0} is a valid empty
 * arena. Not thread-safe. */
#pragma once

#include "buf.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunk;
	char *at, *end;
	size_t total; /* bytes held */
};

void *arena_alloc(struct arena *a, size_t n);  /* aligned for any type, not cleared */
void *arena_zalloc(struct arena *a, size_t n); /* cleared */
#define ARENA_NEW(a, type)      ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (size_t)(n)))
void *arena_copy(struct arena *a, const void *p, size_t n);
char *arena_str(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_strn(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) RX_PRINTF(2, 3);
struct rx_view arena_view(struct arena *a, struct rx_view v);
void arena_reset(struct arena *a); /* keeps one chunk */
void arena_release(struct arena *a);
