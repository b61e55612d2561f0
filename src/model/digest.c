/* digest: what identifies a blob: parsing, printing, comparing and computing it. */
#include "digest.h"

#include <assert.h>

#include "file.h"
#include "resource.h"
#include "utf8.h"

#define READ_CHUNK 65536

static const struct function {
	const char *name;
	uint8_t length; /* bytes of hash */
	bool supported, named;
	enum hash_kind kind;
} functions[] = {
	[DIGEST_SHA256] = { "sha256", 32, true, false, HASH_SHA256 },
	[DIGEST_SHA1] = { "sha1", 20, true, false, HASH_SHA1 },
	[DIGEST_MD5] = { "md5", 16, true, false, HASH_MD5 },
	[DIGEST_VSO] = { "vso", 33, false, false, HASH_SHA256 },
	[DIGEST_SHA384] = { "sha384", 48, true, false, HASH_SHA384 },
	[DIGEST_SHA512] = { "sha512", 64, true, false, HASH_SHA512 },
	[DIGEST_MURMUR3] = { "murmur3", 16, false, false, HASH_SHA256 },
	[DIGEST_SHA256TREE] = { "sha256tree", 32, true, true, HASH_SHA256TREE },
	[DIGEST_BLAKE3] = { "blake3", 32, false, true, HASH_SHA256 },
	[DIGEST_GITSHA1] = { "gitsha1", 20, true, true, HASH_GITSHA1 },
};

/* The hash of no bytes of the two functions met most: one is compared for each empty file of a
 * tree, the other cannot be computed here. */
static const uint8_t empty_sha256[32] = {
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
	0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
	0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
};
static const uint8_t empty_blake3[32] = {
	0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d,
	0xea, 0x36, 0xdc, 0xc9, 0x49, 0x9b, 0xcb, 0x25, 0xc9, 0xad, 0xc1,
	0x12, 0xb7, 0xcc, 0x9a, 0x93, 0xca, 0xe4, 0x1f, 0x32, 0x62,
};

static const struct function *function_of(enum digest_function f)
{
	return (unsigned)f < RX_COUNT(functions) && functions[f].name ? &functions[f] : NULL;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return a->size == b->size && a->len == b->len && a->function == b->function &&
	       memcmp(a->hash, b->hash, a->len) == 0;
}

int digest_cmp(const struct digest *a, const struct digest *b)
{
	int c;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	c = memcmp(a->hash, b->hash, a->len);
	if (c)
		return c;
	return (a->size > b->size) - (a->size < b->size);
}

bool digest_is_set(const struct digest *d)
{
	return d->len != 0;
}

bool digest_is_empty_blob(const struct digest *d)
{
	return d->len != 0 && d->size == 0;
}

size_t digest_key(const struct digest *d, uint8_t out[DIGEST_KEY_MAX])
{
	out[0] = d->function;
	out[1] = d->len;
	memcpy(out + 2, d->hash, d->len);
	memcpy(out + 2 + d->len, &d->size, sizeof(d->size));
	return (size_t)d->len + 2 + sizeof(d->size);
}

bool digest_function_supported(enum digest_function f)
{
	const struct function *fn = function_of(f);

	return fn && fn->supported;
}

const char *digest_function_name(enum digest_function f)
{
	const struct function *fn = function_of(f);

	return fn ? fn->name : "unknown";
}

bool digest_function_parse(struct rx_view name, enum digest_function *out)
{
	for (size_t i = 0; i < RX_COUNT(functions); i++) {
		if (functions[i].name && strlen(functions[i].name) == name.n &&
		    strncasecmp(functions[i].name, name.p, name.n) == 0) {
			*out = (enum digest_function)i;
			return true;
		}
	}
	return false;
}

size_t digest_function_length(enum digest_function f)
{
	const struct function *fn = function_of(f);

	return fn ? fn->length : 0;
}

/* REAPI rule 30. MURMUR3 shares its length with MD5, which is the one people use. */
enum digest_function digest_function_infer(size_t hash_len)
{
	switch (hash_len) {
	case 16:
		return DIGEST_MD5;
	case 20:
		return DIGEST_SHA1;
	case 32:
		return DIGEST_SHA256;
	case 33:
		return DIGEST_VSO;
	case 48:
		return DIGEST_SHA384;
	case 64:
		return DIGEST_SHA512;
	default:
		return DIGEST_UNKNOWN;
	}
}

bool digest_function_is_named(enum digest_function f)
{
	const struct function *fn = function_of(f);

	return fn && fn->named;
}

enum hash_kind digest_hash_kind(enum digest_function f)
{
	assert(digest_function_supported(f));
	return functions[f].kind;
}

void digest_of(enum digest_function f, const void *p, size_t n, struct digest *out)
{
	struct digest d = { .function = (uint8_t)f, .size = (int64_t)n };

	d.len = (uint8_t)hash_bytes(digest_hash_kind(f), p, n, d.hash);
	*out = d;
}

void digest_of_view(enum digest_function f, struct rx_view v, struct digest *out)
{
	digest_of(f, v.p, v.n, out);
}

static void hash_freep(struct hash **h)
{
	hash_free(*h);
}

bool digest_of_fd(enum digest_function f, int fd, int64_t size, struct digest *out,
		  struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *chunk = NULL;
	RX_CLEANUP(hash_freep) struct hash *h = NULL;
	struct digest d = { .function = (uint8_t)f, .size = size };
	int64_t at = 0;
	size_t got;

	assert(size >= 0);
	/* One byte more than there should be tells a file that grew. */
	chunk = xmalloc(RX_MIN((size_t)size, READ_CHUNK) + 1);
	if (size <= READ_CHUNK) {
		if (!file_pread(fd, chunk, (size_t)size + 1, 0, &got, err))
			return false;
		if ((int64_t)got != size)
			return rx_fail(err, RX_EIO, "the file changed its size while it was read");
		digest_of(f, chunk, got, out);
		return true;
	}
	h = hash_new();
	hash_begin(h, digest_hash_kind(f), size);
	while (at <= size) {
		size_t want = (size_t)RX_MIN((int64_t)READ_CHUNK, size - at + 1);

		if (!file_pread(fd, chunk, want, at, &got, err))
			return false;
		if (!got)
			break;
		at += (int64_t)got;
		if (at <= size)
			hash_add(h, chunk, got);
	}
	if (at != size)
		return rx_fail(err, RX_EIO, "the file changed its size while it was read");
	d.len = (uint8_t)hash_end(h, d.hash);
	*out = d;
	return true;
}

void digest_empty(enum digest_function f, struct digest *out)
{
	digest_of(f, "", 0, out);
}

/* REAPI rule 34. What cannot be computed here and is not known is believed. */
static bool empty_hash_matches(const struct digest *d)
{
	struct digest empty;

	if (d->function == DIGEST_SHA256)
		return memcmp(d->hash, empty_sha256, sizeof(empty_sha256)) == 0;
	if (d->function == DIGEST_BLAKE3)
		return memcmp(d->hash, empty_blake3, sizeof(empty_blake3)) == 0;
	if (!digest_function_supported((enum digest_function)d->function))
		return true;
	digest_empty((enum digest_function)d->function, &empty);
	return digest_eq(d, &empty);
}

static bool bad_hash(struct rx_err *err, struct rx_view hex, const char *why)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf shown = { 0 };

	utf8_add_safe(&shown, hex.p, hex.n, 140);
	return rx_fail(err, RX_EPARSE, "hash '%s' %s", rx_buf_str(&shown), why);
}

/* Value + 1 of a lower-case digit, 0 for anything else: large trees decode a hash per file, and a
 * table is an order of magnitude faster than comparing. */
static const uint8_t nibbles[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static bool decode(const char *hex, size_t n, uint8_t *out)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		uint8_t high = nibbles[(uint8_t)hex[2 * i]], low = nibbles[(uint8_t)hex[2 * i + 1]];

		ok &= high && low;
		out[i] = (uint8_t)((high - 1u) << 4 | ((low - 1u) & 15));
	}
	return ok;
}

bool digest_from_parts(enum digest_function f, struct rx_view hex, int64_t size, struct digest *out,
		       struct rx_err *err)
{
	struct digest d = { .size = size };
	size_t want;

	if (f == DIGEST_UNKNOWN) {
		f = hex.n % 2 ? DIGEST_UNKNOWN : digest_function_infer(hex.n / 2);
		if (f == DIGEST_UNKNOWN)
			return bad_hash(err, hex, "has a length that no digest function has");
	}
	want = digest_function_length(f);
	if (!want)
		return rx_fail(err, RX_EPARSE, "digest function number %d is not known", (int)f);
	if (hex.n != 2 * want) {
		RX_CLEANUP(xfreep)
		char *why = xasprintf("has %zu characters, %s has %zu", hex.n,
				      digest_function_name(f), 2 * want);
		return bad_hash(err, hex, why);
	}
	if (!decode(hex.p, want, d.hash))
		return bad_hash(err, hex, "is not lower-case hexadecimal");
	if (size < 0)
		return bad_hash(err, hex, "comes with a negative size");
	d.len = (uint8_t)want;
	d.function = (uint8_t)f;
	if (size == 0 && !empty_hash_matches(&d))
		return bad_hash(err, hex, "comes with size 0 but is not the hash of no bytes");
	*out = d;
	return true;
}

static bool parse_size(struct rx_view v, int64_t *out)
{
	int64_t n = 0;

	/* One blob, one name: no leading zeros. */
	if (!v.n || (v.n > 1 && v.p[0] == '0'))
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, v.p[i] - '0', &n))
			return false;
	}
	*out = n;
	return true;
}

bool digest_parse_parts(enum digest_function f, struct rx_view hex, struct rx_view size,
			struct digest *out, struct rx_err *err)
{
	int64_t bytes;

	if (!parse_size(size, &bytes)) {
		RX_CLEANUP(rx_buf_release) struct rx_buf shown = { 0 };

		utf8_add_safe(&shown, size.p, size.n, 40);
		return rx_fail(err, RX_EPARSE, "'%s' is not a size in bytes", rx_buf_str(&shown));
	}
	return digest_from_parts(f, hex, bytes, out, err);
}

static bool parse_resource(const char *text, struct digest *out, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	struct resource r;

	if (!resource_parse(&scratch, rx_view_str(text), &r, err))
		return false;
	*out = r.digest;
	return true;
}

bool digest_parse(const char *text, struct digest *out, struct rx_err *err)
{
	struct rx_view hex = rx_view_str(text);
	const char *colon = strchr(text, ':'), *slash = strchr(text, '/');
	enum digest_function f = DIGEST_UNKNOWN;

	if (strstr(text, "blobs/"))
		return parse_resource(text, out, err);
	if (!slash)
		return rx_fail(err, RX_EPARSE,
			       "'%.200s' is not a digest: HASH/SIZE or FUNCTION:HASH/SIZE", text);
	if (colon && colon < slash) {
		struct rx_view name = { text, (size_t)(colon - text) };

		if (!digest_function_parse(name, &f))
			return rx_fail(err, RX_EPARSE, "'%.*s' is not a digest function",
				       (int)RX_MIN(name.n, (size_t)200), name.p);
		hex.p = colon + 1;
	}
	hex.n = (size_t)(slash - hex.p);
	return digest_parse_parts(f, hex, rx_view_str(slash + 1), out, err);
}

void digest_hex(const struct digest *d, char out[129])
{
	hex_encode(d->hash, d->len, out);
}

void digest_format(const struct digest *d, char out[DIGEST_TEXT_MAX])
{
	enum digest_function f = (enum digest_function)d->function;
	bool named = digest_function_infer(d->len) != f;
	char hex[129];

	digest_hex(d, hex);
	snprintf(out, DIGEST_TEXT_MAX, "%s%s%s/%" PRId64, named ? digest_function_name(f) : "",
		 named ? ":" : "", hex, d->size);
}

void digest_short(const struct digest *d, char out[DIGEST_TEXT_MAX])
{
	char hex[129];

	digest_hex(d, hex);
	if (d->len < 8)
		snprintf(out, DIGEST_TEXT_MAX, "%s/%" PRId64, hex, d->size);
	else
		snprintf(out, DIGEST_TEXT_MAX, "%.4s\u2026%s/%" PRId64, hex, hex + 2 * d->len - 4,
			 d->size);
}
