/* test_buf: views, and buffers that know their maximum. */
#include "buf.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(buf, view_comparisons)
{
	cr_assert(rx_view_eq(rx_view_str(NULL), RX_VIEW("")));
	cr_assert(rx_view_eq_str(RX_VIEW("abc"), "abc"));
	cr_assert_not(rx_view_eq_str(RX_VIEW("abc"), "ab"));
	cr_assert_not(rx_view_eq(RX_VIEW("a\0b"), RX_VIEW("a\0c")));
	cr_assert(rx_view_starts(RX_VIEW("abc"), "ab"));
	cr_assert(rx_view_starts(RX_VIEW(""), ""));
	cr_assert_not(rx_view_starts(RX_VIEW("a"), "ab"));
	cr_assert_lt(rx_view_cmp(RX_VIEW("a"), RX_VIEW("ab")), 0);
	cr_assert_gt(rx_view_cmp(RX_VIEW("\xff"), RX_VIEW("a")), 0, "bytes are unsigned");
	cr_assert_eq(rx_view_cmp(RX_VIEW("x"), RX_VIEW("x")), 0);
	cr_assert_lt(rx_view_cmp((struct rx_view){ 0 }, RX_VIEW("x")), 0);
}

Test(buf, grows_and_stays_terminated)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	cr_assert_str_eq(rx_buf_str(&b), "");
	for (int i = 0; i < 1000; i++) {
		rx_buf_addf(&b, "%d,", i % 10);
		cr_assert_eq(b.p[b.n], '\0');
	}
	cr_assert_eq(b.n, 2000);
	cr_assert_not(b.full);
	rx_buf_reset(&b);
	cr_assert_str_eq(rx_buf_str(&b), "");
	rx_buf_add(&b, NULL, 0);
	rx_buf_add(&b, "a\0b", 3);
	cr_assert_eq(b.n, 3);
}

Test(buf, a_zeroed_one_is_bounded)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	for (unsigned i = 0; i < RX_BUF_DEFAULT_MAX + 10; i++)
		rx_buf_add_char(&b, 'x');
	cr_assert(b.full);
	cr_assert_eq(b.n, RX_BUF_DEFAULT_MAX);
}

Test(buf, what_does_not_fit_is_dropped_for_good)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { .max = 5 };

	rx_buf_add_str(&b, "abc");
	rx_buf_addf(&b, "%s", "defg");
	cr_assert_str_eq(rx_buf_str(&b), "abcde");
	cr_assert(b.full);
	cr_assert_null(rx_buf_reserve(&b, 1));
	rx_buf_reset(&b);
	cr_assert_not(b.full);
	rx_buf_add_str(&b, "ab");
	cr_assert_null(rx_buf_reserve(&b, 4));
	rx_buf_add_str(&b, "c");
	cr_assert_str_eq(rx_buf_str(&b), "ab", "nothing may follow a gap");
}

Test(buf, insertion_pushes_the_end_out)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { .max = 6 };

	rx_buf_insert(&b, 0, "d", 1);
	rx_buf_insert(&b, 0, "ab", 2);
	rx_buf_insert(&b, 2, "c", 1);
	cr_assert_str_eq(rx_buf_str(&b), "abcd");
	rx_buf_insert(&b, 1, "1234", 4);
	cr_assert_str_eq(rx_buf_str(&b), "a1234b");
	cr_assert(b.full);
	rx_buf_insert(&b, 0, "123456789", 9);
	cr_assert_str_eq(rx_buf_str(&b), "123456");
	rx_buf_insert(&b, 6, "x", 1);
	cr_assert_str_eq(rx_buf_str(&b), "123456");
}

Test(buf, reserved_bytes_are_written_then_counted)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { .max = 100 };
	char *at = rx_buf_reserve(&b, 100);

	cr_assert_not_null(at);
	memset(at, 'x', 100);
	rx_buf_grew(&b, 60);
	cr_assert_eq(b.n, 60);
	cr_assert_eq(b.p[60], '\0');
	cr_assert_null(rx_buf_reserve(&b, 41));
}

Test(buf, taking_leaves_an_empty_one)
{
	struct rx_buf b = { .max = 10 };
	RX_CLEANUP(xfreep) char *nothing = rx_buf_take(&b);

	cr_assert_str_eq(nothing, "");
	rx_buf_add_str(&b, "text");
	RX_CLEANUP(xfreep) char *text = rx_buf_take(&b);
	cr_assert_str_eq(text, "text");
	cr_assert_eq(b.n, 0);
	cr_assert_eq(b.max, 10);
	cr_assert_null(b.p);
	rx_buf_release(NULL);
}

Test(buf, string_copies)
{
	RX_CLEANUP(xfreep) char *a = xstrndup("abc", 2);
	RX_CLEANUP(xfreep) char *b = xstrndup("abc", 9);
	RX_CLEANUP(xfreep) char *c = xasprintf("%s-%d", a, 7);
	int *v = NULL;
	size_t n = 0, cap = 0;

	cr_assert_str_eq(a, "ab");
	cr_assert_str_eq(b, "abc");
	cr_assert_str_eq(c, "ab-7");
	for (int i = 0; i < 100; i++) {
		RX_GROW(v, n, cap);
		v[n++] = i;
	}
	cr_assert_eq(v[99], 99);
	free(v);
}

Test(buf, running_out_of_memory_ends_the_program, .signal = SIGABRT)
{
	free(xmalloc(SIZE_MAX));
}
