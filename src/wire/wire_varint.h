/* wire_varint: the few bytes protobuf's syntax is made of, for what is written and read by hand. */
#pragma once

#include <string.h>

#include "directory.h"

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_FIXED32 = 5
};
#define WIRE_KEY(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

static inline size_t wire_varint_size(uint64_t v)
{
	return ((unsigned)(63 - __builtin_clzll(v | 1)) * 9 + 73) / 64;
}

static inline char *wire_put_varint(char *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (char)(v | 0x80);
		v >>= 7;
	}
	*p++ = (char)v;
	return p;
}

/* Field numbers up to 15 only, as everything written by hand has. */
static inline char *wire_put_key(char *p, unsigned number, enum wire_type type)
{
	*p++ = (char)WIRE_KEY(number, type);
	return p;
}

/* What a length-delimited field of n bytes takes. */
static inline size_t wire_bytes_size(size_t n)
{
	return 1 + wire_varint_size(n) + n;
}

static inline char *wire_put_length(char *p, unsigned number, size_t n)
{
	return wire_put_varint(wire_put_key(p, number, WIRE_BYTES), n);
}

static inline char *wire_put_bytes(char *p, unsigned number, const void *v, size_t n)
{
	p = wire_put_length(p, number, n);
	memcpy(p, v, n);
	return p + n;
}

/* Defaults are left out (REAPI rule 1). */
static inline size_t wire_number_size(uint64_t v)
{
	return v ? 1 + wire_varint_size(v) : 0;
}

static inline char *wire_put_number(char *p, unsigned number, uint64_t v)
{
	return v ? wire_put_varint(wire_put_key(p, number, WIRE_VARINT), v) : p;
}

static inline size_t wire_text_size(const char *s)
{
	return s && *s ? wire_bytes_size(strlen(s)) : 0;
}

static inline char *wire_put_text(char *p, unsigned number, const char *s)
{
	return s && *s ? wire_put_bytes(p, number, s, strlen(s)) : p;
}

/* Returns what follows, NULL when there are not at most `most` bytes of a 64-bit number. */
static inline const char *wire_get_varint(const char *p, const char *end, unsigned most,
					  uint64_t *v, unsigned *marks)
{
	uint64_t x = 0;

	if (p < end && !(*p & 0x80)) {
		*v = (uint8_t)*p;
		return p + 1;
	}
	for (unsigned i = 0; i < most && p < end; i++) {
		uint8_t byte = (uint8_t)*p++;

		if (i == 9 && byte > 1)
			return NULL;
		x |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		if (!byte)
			*marks |= MARK_ENCODING;
		*v = x;
		return p;
	}
	return NULL;
}
