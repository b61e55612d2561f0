/* test_arena: pieces are aligned, apart from each other, and freed at once. */
#include "arena.h"

#include <criterion/criterion.h>

Test(arena, pieces_do_not_overlap)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	unsigned char *pieces[600];

	for (size_t i = 0; i < 600; i++) {
		pieces[i] = arena_alloc(&a, i * 7);
		cr_assert_eq((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i & 255), i * 7);
	}
	for (size_t i = 0; i < 600; i++)
		for (size_t k = 0; k < i * 7; k++)
			cr_assert_eq(pieces[i][k], i & 255);
	cr_assert_geq(a.total, 600 * 599 / 2 * 7);
}

Test(arena, a_big_piece_does_not_waste_the_chunk)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };

	char *small = arena_alloc(&a, 16);
	memset(arena_alloc(&a, 3 << 20), 1, 3 << 20);
	char *next = arena_alloc(&a, 16);
	cr_assert_lt(next - small, 4096, "the small chunk goes on being used");
}

Test(arena, text)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };

	cr_assert_null(arena_str(&a, NULL));
	cr_assert_str_eq(arena_str(&a, "abc"), "abc");
	cr_assert_str_eq(arena_strn(&a, "abcdef", 3), "abc");
	cr_assert_str_eq(arena_strn(&a, NULL, 0), "");
	cr_assert_str_eq(arena_printf(&a, "%05d%s", 42, "x"), "00042x");
	cr_assert_not_null(arena_copy(&a, NULL, 0));
	struct rx_view v = arena_view(&a, RX_VIEW("a\0b"));
	cr_assert(rx_view_eq(v, RX_VIEW("a\0b")));
	cr_assert_eq(v.p[v.n], '\0');
}

Test(arena, new_objects_are_cleared)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	struct thing {
		int x[50];
	};

	memset(arena_alloc(&a, 2000), 0xff, 2000);
	arena_reset(&a);
	struct thing *t = ARENA_NEW(&a, struct thing);
	for (size_t i = 0; i < RX_COUNT(t->x); i++)
		cr_assert_eq(t->x[i], 0);
	cr_assert_eq(ARENA_ARRAY(&a, struct thing, 3)[2].x[49], 0);
}

Test(arena, reset_keeps_one_chunk)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };

	for (int i = 0; i < 100; i++)
		arena_alloc(&a, 100000);
	arena_reset(&a);
	size_t kept = a.total;
	cr_assert_leq(kept, (1 << 20) + 64);
	arena_alloc(&a, 1000);
	cr_assert_eq(a.total, kept);
	arena_release(&a);
	cr_assert_eq(a.total, 0);
	arena_release(NULL);
}
