/* test_map: against a plain array, with removals and growth. */
#include "map.h"

#include <criterion/criterion.h>

#define KEYS 3000u

Test(map, an_empty_one_answers)
{
	struct rx_map m = { 0 };
	size_t i = 0;

	cr_assert_null(rx_map_get(&m, "x", 1));
	cr_assert_not(rx_map_has(&m, "", 0));
	cr_assert_not(rx_map_remove(&m, "x", 1, NULL));
	cr_assert_not(rx_map_next(&m, &i, NULL, NULL));
	rx_map_release(&m);
	rx_map_release(NULL);
}

Test(map, keys_are_bytes)
{
	RX_CLEANUP(rx_map_release) struct rx_map m = { 0 };
	int a, b, c;

	cr_assert(rx_map_put(&m, "", 0, &a));
	cr_assert(rx_map_put(&m, "\0", 1, &b));
	cr_assert(rx_map_put(&m, "\0\0", 2, &c));
	cr_assert_eq(rx_map_get(&m, NULL, 0), &a);
	cr_assert_eq(rx_map_get(&m, "\0", 1), &b);
	cr_assert_eq(rx_map_get(&m, "\0\0", 2), &c);
	cr_assert_not(rx_map_put(&m, "\0", 1, NULL), "it was there");
	cr_assert(rx_map_has(&m, "\0", 1), "a NULL value is a value");
	cr_assert_eq(m.n, 3);
}

Test(map, the_key_is_copied)
{
	RX_CLEANUP(rx_map_release) struct rx_map m = { 0 };
	char key[8] = "abc";

	rx_map_put(&m, key, 3, key);
	key[0] = 'x';
	cr_assert_eq(rx_map_get(&m, "abc", 3), key);
	cr_assert_null(rx_map_get(&m, "xbc", 3));
}

Test(map, agrees_with_an_array)
{
	RX_CLEANUP(rx_map_release) struct rx_map m = { 0 };
	static int there[KEYS];
	uint64_t state = 1;
	size_t count = 0;

	for (int step = 0; step < 200000; step++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		uint32_t k = (uint32_t)(state >> 33) % KEYS;
		/* phases of growing and shrinking */
		bool put = (state >> 60) < (step / 20000 % 2 ? 5 : 11);
		if (put) {
			cr_assert_eq(rx_map_put(&m, &k, sizeof(k), &there[k]), !there[k]);
			count += !there[k];
			there[k] = 1;
		} else {
			void *value = NULL;
			cr_assert_eq(rx_map_remove(&m, &k, sizeof(k), &value), there[k] != 0);
			cr_assert(!there[k] || value == &there[k]);
			count -= there[k] != 0;
			there[k] = 0;
		}
		cr_assert_eq(m.n, count);
	}
	for (uint32_t k = 0; k < KEYS; k++)
		cr_assert_eq(rx_map_get(&m, &k, sizeof(k)), there[k] ? &there[k] : NULL);
	size_t seen = 0;
	struct rx_view key;
	void *value;
	for (size_t i = 0; rx_map_next(&m, &i, &key, &value); seen++) {
		uint32_t k;
		cr_assert_eq(key.n, sizeof(k));
		memcpy(&k, key.p, sizeof(k));
		cr_assert_eq(value, &there[k]);
		cr_assert(there[k]);
	}
	cr_assert_eq(seen, count);
}

Test(map, slots_start_as_null)
{
	RX_CLEANUP(rx_map_release) struct rx_map m = { 0 };
	bool added = false;
	int x;
	void **slot = rx_map_slot(&m, "k", 1, &added);

	cr_assert(added);
	cr_assert_null(*slot);
	*slot = &x;
	slot = rx_map_slot(&m, "k", 1, &added);
	cr_assert_not(added);
	cr_assert_eq(*slot, &x);
}

Test(map, keys_that_come_and_go_do_not_pile_up)
{
	RX_CLEANUP(rx_map_release) struct rx_map m = { 0 };
	char key[64] = { 0 };

	for (int i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "stays %d", i);
		rx_map_put(&m, key, sizeof(key), NULL);
	}
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(key, sizeof(key), "passes %d", i);
		rx_map_put(&m, key, sizeof(key), NULL);
		cr_assert(rx_map_remove(&m, key, sizeof(key), NULL));
	}
	cr_assert_lt(m.keys.total, 1 << 20);
	for (int i = 0; i < 10; i++) {
		memset(key, 0, sizeof(key));
		(void)snprintf(key, sizeof(key), "stays %d", i);
		cr_assert(rx_map_has(&m, key, sizeof(key)));
	}
}
