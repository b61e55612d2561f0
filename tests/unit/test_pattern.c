/* test_pattern: matching within limits, errors with positions. */
#include "pattern.h"

#include <criterion/criterion.h>

static int search(const char *regex, struct rx_view subject)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct pattern *p = pattern_new(regex, &err);
	bool matched = false;

	cr_assert_not_null(p, "%s", rx_err_text(&err));
	cr_assert_str_eq(pattern_text(p), regex);
	bool ok = pattern_search(p, subject, &matched, &err);
	pattern_free(p);
	if (!ok)
		cr_assert_eq(err.code, RX_ELIMIT);
	return ok ? matched : -1;
}

Test(pattern, searches_anywhere)
{
	cr_assert_eq(search("b+", RX_VIEW("abbc")), 1);
	cr_assert_eq(search("^b+", RX_VIEW("abbc")), 0);
	cr_assert_eq(search("^$", RX_VIEW("")), 1);
	cr_assert_eq(search("^$", (struct rx_view){ 0 }), 1);
	cr_assert_eq(search("a.b", RX_VIEW("a\0b")), 1);
	cr_assert_eq(search("(a)(b)(c)", RX_VIEW("xabc")), 1);
}

Test(pattern, characters_are_utf8_and_bad_bytes_only_fail_to_match)
{
	cr_assert_eq(search("^.$", RX_VIEW("\xc3\xa9")), 1);
	cr_assert_eq(search("b$", RX_VIEW("a\xff\xfe"
					  "b")),
		     1);
	cr_assert_eq(search("a.b", RX_VIEW("a\xff"
					   "b")),
		     0);
}

Test(pattern, errors_have_a_column)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	cr_assert_null(pattern_new("ab(c", &err));
	cr_assert_eq(err.code, RX_EUSAGE);
	cr_assert(rx_view_starts(rx_view_of(&err.msg), "regular expression 'ab(c': column 5: "),
		  "%s", rx_err_text(&err));
	rx_err_reset(&err);
	cr_assert_null(pattern_new("a\\Cb", &err), "\\C splits characters");
	rx_err_reset(&err);
	cr_assert_null(pattern_new("\xff", &err));
	pattern_free(NULL);
}

Test(pattern, catastrophes_end, .timeout = 60)
{
	cr_assert_eq(search("^(a+)+$", RX_VIEW("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")),
		     -1);
	cr_assert_eq(search("(x+x+)+y",
			    RX_VIEW("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxzy")),
		     -1);
}

Test(pattern, a_long_subject_is_no_catastrophe)
{
	size_t n = 1 << 20;
	RX_CLEANUP(xfreep) char *text = xmalloc(n);

	memset(text, 'a', n);
	cr_assert_eq(search("a*b|a*c|a$", (struct rx_view){ text, 1000 }), 1);
	cr_assert_eq(search("b", (struct rx_view){ text, n }), 0);
	cr_assert_eq(search("a$", (struct rx_view){ text, n }), 1);
}
