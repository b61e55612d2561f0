/* map: linear probing with backward-shift removal, so there are no tombstones. Keys come from
 * outside, so the hash is seeded per process. */
#include "map.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define CAP_MIN   16u
#define DEAD_KEEP 65536u /* removed key bytes that are not worth compacting for */

struct rx_map_slot {
	uint64_t hash;
	const char *key; /* NULL: free */
	size_t n;
	void *value;
};

static uint64_t load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Both halves of the 128-bit product. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 u128;
	u128 product = (u128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t map_seed(void)
{
	static _Atomic uint64_t seed;
	uint64_t now = atomic_load_explicit(&seed, memory_order_relaxed);

	if (!now) {
		uint64_t fresh = random_u64() | 1;
		/* Another thread may have been first; then its seed counts for everybody. */
		if (atomic_compare_exchange_strong(&seed, &now, fresh))
			now = fresh;
	}
	return now;
}

static uint64_t map_hash(const void *key, size_t n)
{
	const unsigned char *p = key;
	uint64_t seed = map_seed();
	uint64_t other = seed * 0x9e3779b97f4a7c15u ^ 0xd1b54a32d192ed03u;
	uint64_t h = seed ^ n;
	size_t left = n;
	unsigned char tail[16] = { 0 };

	for (; left >= 16; left -= 16, p += 16)
		h = fold(h ^ load64(p), load64(p + 8) ^ other);
	if (left)
		memcpy(tail, p, left);
	h = fold(h ^ load64(tail), load64(tail + 8) ^ other);
	return fold(h ^ seed, other | 1);
}

/* The slot of the key, or the free slot where it would go; the map has slots. */
static size_t find(const struct rx_map *m, uint64_t hash, const void *key, size_t n)
{
	size_t mask = m->cap - 1, at = hash & mask;

	for (; m->slots[at].key; at = (at + 1) & mask) {
		const struct rx_map_slot *s = &m->slots[at];
		if (s->hash == hash && s->n == n && (n == 0 || memcmp(s->key, key, n) == 0))
			break;
	}
	return at;
}

static void grow(struct rx_map *m)
{
	struct rx_map_slot *old = m->slots;
	size_t old_cap = m->cap;

	m->cap = old_cap ? old_cap * 2 : CAP_MIN;
	m->slots = xcalloc(m->cap, sizeof(*m->slots));
	for (size_t i = 0; i < old_cap; i++) {
		size_t at = old[i].hash & (m->cap - 1);
		if (!old[i].key)
			continue;
		while (m->slots[at].key)
			at = (at + 1) & (m->cap - 1);
		m->slots[at] = old[i];
	}
	free(old);
}

/* A map that lives long while its keys come and go must not keep every key it ever saw. */
static void compact_keys(struct rx_map *m)
{
	struct arena fresh = { 0 };

	if (m->n == 0) {
		arena_reset(&m->keys);
		m->dead = 0;
		return;
	}
	if (m->dead < DEAD_KEEP || m->dead < m->keys.total / 2)
		return;
	for (size_t i = 0; i < m->cap; i++) {
		struct rx_map_slot *s = &m->slots[i];
		if (s->key)
			s->key = arena_copy(&fresh, s->key, s->n);
	}
	arena_release(&m->keys);
	m->keys = fresh;
	m->dead = 0;
}

void *rx_map_get(const struct rx_map *m, const void *key, size_t n)
{
	if (!m->n)
		return NULL;
	const struct rx_map_slot *s = &m->slots[find(m, map_hash(key, n), key, n)];

	return s->key ? s->value : NULL;
}

bool rx_map_has(const struct rx_map *m, const void *key, size_t n)
{
	return m->n && m->slots[find(m, map_hash(key, n), key, n)].key;
}

void **rx_map_slot(struct rx_map *m, const void *key, size_t n, bool *added)
{
	uint64_t hash = map_hash(key, n);

	if (!m->cap)
		grow(m);
	size_t at = find(m, hash, key, n);
	bool fresh = !m->slots[at].key;
	if (fresh) {
		if ((m->n + 1) * 4 > m->cap * 3) {
			grow(m);
			at = find(m, hash, key, n);
		}
		m->slots[at] = (struct rx_map_slot){ hash, arena_copy(&m->keys, key, n), n, NULL };
		m->n++;
	}
	if (added)
		*added = fresh;
	return &m->slots[at].value;
}

bool rx_map_put(struct rx_map *m, const void *key, size_t n, void *value)
{
	bool added;

	*rx_map_slot(m, key, n, &added) = value;
	return added;
}

bool rx_map_remove(struct rx_map *m, const void *key, size_t n, void **value_out)
{
	if (!m->n)
		return false;
	size_t mask = m->cap - 1;
	size_t hole = find(m, map_hash(key, n), key, n);

	if (!m->slots[hole].key)
		return false;
	if (value_out)
		*value_out = m->slots[hole].value;
	m->dead += m->slots[hole].n;
	/* Entries behind the hole move up unless that would put them before their home. */
	for (size_t at = (hole + 1) & mask; m->slots[at].key; at = (at + 1) & mask) {
		size_t home = m->slots[at].hash & mask;
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			m->slots[hole] = m->slots[at];
			hole = at;
		}
	}
	m->slots[hole] = (struct rx_map_slot){ 0 };
	m->n--;
	compact_keys(m);
	return true;
}

bool rx_map_next(const struct rx_map *m, size_t *i, struct rx_view *key, void **value)
{
	while (*i < m->cap) {
		const struct rx_map_slot *s = &m->slots[(*i)++];
		if (!s->key)
			continue;
		if (key)
			*key = (struct rx_view){ s->key, s->n };
		if (value)
			*value = s->value;
		return true;
	}
	return false;
}

void rx_map_release(struct rx_map *m)
{
	if (!m)
		return;
	free(m->slots);
	arena_release(&m->keys);
	*m = (struct rx_map){ 0 };
}
