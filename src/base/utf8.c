/* utf8: checking UTF-8, hex text, safe text for messages, random numbers and UUIDs. */
#include "utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Unicode table 3-7. */
size_t utf8_sequence(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	unsigned char c = n ? p[0] : 0xff, low = 0x80, high = 0xbf;
	size_t len;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		len = 2;
	else if (c >= 0xe0 && c <= 0xef)
		len = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		len = 4;
	else
		return 0;
	if (c == 0xe0)
		low = 0xa0; /* overlong */
	else if (c == 0xed)
		high = 0x9f; /* surrogates */
	else if (c == 0xf0)
		low = 0x90; /* overlong */
	else if (c == 0xf4)
		high = 0x8f; /* past U+10FFFF */
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool utf8_valid(const void *p, size_t n)
{
	const unsigned char *at = p;

	while (n) {
		uint64_t eight;
		/* Nearly everything is ASCII. */
		while (n >= 8) {
			memcpy(&eight, at, 8);
			if (eight & 0x8080808080808080u)
				break;
			at += 8;
			n -= 8;
		}
		if (!n)
			break;
		size_t len = utf8_sequence(at, n);
		if (!len)
			return false;
		at += len;
		n -= len;
	}
	return true;
}

void hex_encode(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

bool hex_decode(const char *p, size_t n, uint8_t *out)
{
	/* Every digest of every message comes through here: no branches on the way. Values are one
	 * more than what they mean, so that 0 is what is not named here. */
	static const uint8_t value[256] = {
		['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
		['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	};
	bool bad = n % 2 != 0;

	/* Checked before written: out is untouched on failure. */
	for (size_t i = 0; i < n; i++)
		bad |= value[(unsigned char)p[i]] == 0;
	if (bad)
		return false;
	for (size_t i = 0; i < n; i += 2)
		out[i / 2] = (uint8_t)((value[(unsigned char)p[i]] - 1) << 4 |
				       (value[(unsigned char)p[i + 1]] - 1));
	return true;
}

void utf8_add_safe(struct rx_buf *out, const char *s, size_t n, size_t max)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t shown = RX_MIN(n, max);
	size_t at = 0;

	while (at < shown) {
		size_t len = utf8_sequence(p + at, n - at);
		/* C1 controls (U+0080 to U+009F) steer terminals just as ESC does. */
		bool control = p[at] < 0x20 || p[at] == 0x7f ||
			       (len == 2 && p[at] == 0xc2 && p[at + 1] < 0xa0);
		if (len > shown - at)
			break; /* a character is shown whole or not at all */
		if (len && !control) {
			rx_buf_add(out, p + at, len);
			at += len;
			continue;
		}
		for (size_t end = at + (len ? len : 1); at < end; at++)
			rx_buf_addf(out, "\\x%02x", p[at]);
	}
	if (n > max)
		rx_buf_add_str(out, "...");
}

static void random_bytes(void *p, size_t n)
{
	/* Up to 256 bytes come whole once the kernel's pool is seeded; before, it blocks. */
	while (getrandom(p, n, 0) != (ssize_t)n)
		if (errno != EINTR)
			abort();
}

void uuid_v4(char out[37])
{
	uint8_t b[16];
	char hex[33];

	random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	hex_encode(b, sizeof(b), hex);
	for (size_t i = 0, at = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			out[at++] = '-';
		out[at++] = hex[i];
	}
	out[36] = '\0';
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}
