/* test_utf8: UTF-8 as Unicode defines it, hex, text for messages, UUIDs. */
#include "utf8.h"

#include <criterion/criterion.h>

static bool valid(const char *s)
{
	return utf8_valid(s, strlen(s));
}

Test(utf8, accepts_the_ends_of_every_length)
{
	cr_assert(utf8_valid("", 0));
	cr_assert(utf8_valid("\0", 1));
	cr_assert(valid("plain text that is longer than eight bytes \xc3\xa9 and goes on"));
	cr_assert(valid(
		"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
	cr_assert(valid("\xed\x9f\xbf\xee\x80\x80"), "both sides of the surrogates");
}

Test(utf8, refuses_what_is_not_well_formed)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc3(",
		"\xe2(\xa1",
		"\xe2\x82(",
		"\xf0\x9f\x98(",
		"12345678\xff",
		"1234567\xc3",
	};

	for (size_t i = 0; i < RX_COUNT(bad); i++)
		cr_assert_not(valid(bad[i]), "number %zu", i);
}

Test(utf8, hex_is_lower_case_and_even)
{
	uint8_t bytes[4] = { 9, 9, 9, 9 };
	char text[9];

	hex_encode((const uint8_t[]){ 0x00, 0x1f, 0xa0, 0xff }, 4, text);
	cr_assert_str_eq(text, "001fa0ff");
	cr_assert(hex_decode("001fa0ff", 8, bytes));
	cr_assert_arr_eq(bytes, ((uint8_t[]){ 0x00, 0x1f, 0xa0, 0xff }), 4);
	cr_assert_not(hex_decode("00A0", 4, bytes));
	cr_assert_not(hex_decode("000", 3, bytes));
	cr_assert_not(hex_decode("11zz", 4, bytes));
	cr_assert_eq(bytes[0], 0, "untouched");
	cr_assert(hex_decode("", 0, bytes));
}

Test(utf8, messages_cannot_steer_a_terminal)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	utf8_add_safe(&b, "a\x1b[0m\n\xc2\x9b\xff\xc3\xa9\x7f", 12, 100);
	cr_assert_str_eq(rx_buf_str(&b), "a\\x1b[0m\\x0a\\xc2\\x9b\\xff\xc3\xa9\\x7f");
	rx_buf_reset(&b);
	utf8_add_safe(&b, "abcdef", 6, 3);
	cr_assert_str_eq(rx_buf_str(&b), "abc...");
	rx_buf_reset(&b);
	utf8_add_safe(&b, "ab\xc3\xa9z", 5, 3);
	cr_assert_str_eq(rx_buf_str(&b), "ab...", "no half characters");
}

/* REAPI rule 83: a fresh version 4 UUID for every upload */
Test(utf8, rule_83_uuids_are_version_4_and_fresh)
{
	char a[37], b[37];

	uuid_v4(a);
	uuid_v4(b);
	cr_assert_str_neq(a, b);
	cr_assert_eq(strlen(a), 36);
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		cr_assert(dash ? a[i] == '-' : strchr("0123456789abcdef", a[i]) != NULL);
	}
	cr_assert_eq(a[14], '4');
	cr_assert(strchr("89ab", a[19]));
	cr_assert_neq(random_u64(), random_u64());
}
