/* map: bytes -> pointer, for digests and paths. Open addressing, keys copied into the map. Not
 * thread-safe. {0} is a valid empty map. */
#pragma once

#include "arena.h"

struct rx_map_slot;
struct rx_map {
	struct rx_map_slot *slots;
	size_t n, cap;
	struct arena keys;
	size_t dead; /* bytes of removed keys still in there */
};

void *rx_map_get(const struct rx_map *m, const void *key, size_t n); /* NULL when absent */
bool rx_map_has(const struct rx_map *m, const void *key, size_t n);
/* Sets key to value (which may be NULL); returns false when the key was there (its value is
 * replaced). */
bool rx_map_put(struct rx_map *m, const void *key, size_t n, void *value);
/* The place of key's value, added as NULL when absent; `added` may be NULL. Valid until the next
 * put or slot. */
void **rx_map_slot(struct rx_map *m, const void *key, size_t n, bool *added);
bool rx_map_remove(struct rx_map *m, const void *key, size_t n, void **value_out);
/* for (size_t i = 0; rx_map_next(&m, &i, &key, &value);) visits in no particular order. key, value
 * may be NULL; the key is valid until the next put, slot or remove. */
bool rx_map_next(const struct rx_map *m, size_t *i, struct rx_view *key, void **value);
void rx_map_release(struct rx_map *m); /* values are the caller's */
