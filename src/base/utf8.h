/* utf8: checking and hex text. */
#pragma once

#include "buf.h"

/* Well-formed, no surrogates, no overlong forms, at most U+10FFFF. */
bool utf8_valid(const void *p, size_t n);
/* Length of the one well-formed character at p (1 to 4), 0 when there is none. */
size_t utf8_sequence(const void *p, size_t n);
void hex_encode(const uint8_t *p, size_t n, char *out); /* 2n characters and a NUL, lower case */
bool hex_decode(const char *p, size_t n, uint8_t *out); /* n characters (even), lower case only */
/* For messages: control characters and bad UTF-8 as \xNN, at most max bytes of input, then "...".
 */
void utf8_add_safe(struct rx_buf *out, const char *s, size_t n, size_t max);
/* A fresh version 4 UUID as 36 characters and a NUL. Thread-safe. */
void uuid_v4(char out[37]);
/* Uniform random 64 bits from the kernel. Thread-safe. */
uint64_t random_u64(void);
