/* resource: ByteStream resource names, read and written (REAPI rules 70, 83, 152-154). */
#include "resource.h"

#include "utf8.h"

static const char *const compressors[] = {
	[COMPRESSOR_IDENTITY] = "identity",
	[COMPRESSOR_ZSTD] = "zstd",
	[COMPRESSOR_DEFLATE] = "deflate",
	[COMPRESSOR_BROTLI] = "brotli",
};
static const char *const reserved[] = {
	"blobs",      "uploads",      "actions",          "actionResults",
	"operations", "capabilities", "compressed-blobs",
};

/* Cuts the segment before the next slash off rest. False when nothing is left. */
static bool next(struct rx_view *rest, struct rx_view *segment)
{
	const char *slash;

	if (!rest->p)
		return false;
	slash = rest->n ? memchr(rest->p, '/', rest->n) : NULL;
	segment->p = rest->p;
	if (!slash) {
		segment->n = rest->n;
		*rest = (struct rx_view){ 0 };
		return true;
	}
	segment->n = (size_t)(slash - rest->p);
	rest->p = slash + 1;
	rest->n -= segment->n + 1;
	return true;
}

static bool check_instance(struct rx_view instance, struct rx_err *err)
{
	struct rx_view rest = instance, segment;

	if (!instance.n)
		return true;
	if (memchr(instance.p, 0, instance.n) || !utf8_valid(instance.p, instance.n))
		return rx_fail(err, RX_EUSAGE, "instance name is not UTF-8 text");
	while (next(&rest, &segment)) {
		if (!segment.n)
			return rx_fail(err, RX_EUSAGE,
				       "instance name '%.*s' has a slash at an end or two in a row",
				       (int)RX_MIN(instance.n, (size_t)200), instance.p);
		for (size_t i = 0; i < RX_COUNT(reserved); i++)
			if (rx_view_eq_str(segment, reserved[i]))
				return rx_fail(
					err, RX_EUSAGE,
					"instance name '%.*s' has the segment '%s', which the "
					"protocol keeps for itself",
					(int)RX_MIN(instance.n, (size_t)200), instance.p,
					reserved[i]);
	}
	return true;
}

bool resource_check_instance(const char *instance, struct rx_err *err)
{
	return check_instance(rx_view_str(instance), err);
}

static bool find_compressor(struct rx_view name, enum compressor *out)
{
	/* identity has names of its own and is never written here */
	for (size_t i = COMPRESSOR_ZSTD; i < RX_COUNT(compressors); i++) {
		if (rx_view_eq_str(name, compressors[i])) {
			*out = (enum compressor)i;
			return true;
		}
	}
	return false;
}

/* What follows "blobs" or "compressed-blobs/x": [function/]hash/size. */
static bool parse_digest(struct rx_view *rest, struct resource *out, struct rx_err *err)
{
	enum digest_function f = DIGEST_UNKNOWN;
	struct rx_view hash, size;

	if (!next(rest, &hash))
		return rx_fail(err, RX_EPARSE, "the hash is missing");
	for (int i = DIGEST_SHA256; i <= DIGEST_GITSHA1; i++) {
		if (!rx_view_eq_str(hash, digest_function_name((enum digest_function)i)))
			continue;
		if (!digest_function_is_named((enum digest_function)i))
			return rx_fail(err, RX_EPARSE, "digest function %s is not written in names",
				       digest_function_name((enum digest_function)i));
		f = (enum digest_function)i;
		if (!next(rest, &hash))
			return rx_fail(err, RX_EPARSE, "the hash is missing");
		break;
	}
	if (!next(rest, &size))
		return rx_fail(err, RX_EPARSE, "the size is missing");
	return digest_parse_parts(f, hash, size, &out->digest, err);
}

static bool parse(struct arena *a, struct rx_view name, struct resource *out, struct rx_err *err)
{
	struct resource r = { .instance = "", .metadata = "" };
	struct rx_view rest = name, segment, uuid = { 0 };
	bool compressed;

	do {
		if (!next(&rest, &segment))
			return rx_fail(
				err, RX_EPARSE,
				"there is no 'blobs', 'compressed-blobs' or 'uploads' in it");
		compressed = rx_view_eq_str(segment, "compressed-blobs");
		r.upload = rx_view_eq_str(segment, "uploads");
	} while (!compressed && !r.upload && !rx_view_eq_str(segment, "blobs"));
	if (segment.p != name.p) {
		struct rx_view instance = { name.p, (size_t)(segment.p - name.p) - 1 };

		/* "/blobs/...": older Go SDKs (remotetool, reclient) without an instance name. */
		if (!check_instance(instance, err)) {
			err->code = RX_EPARSE;
			return false;
		}
		r.instance = arena_strn(a, instance.p, instance.n);
	}
	if (r.upload) {
		if (!next(&rest, &uuid) || !uuid.n || !next(&rest, &segment))
			return rx_fail(err, RX_EPARSE, "nothing follows 'uploads'");
		compressed = rx_view_eq_str(segment, "compressed-blobs");
		if (!compressed && !rx_view_eq_str(segment, "blobs"))
			return rx_fail(err, RX_EPARSE,
				       "'uploads' must be followed by a UUID and 'blobs'");
		r.uuid = arena_strn(a, uuid.p, uuid.n);
	}
	if (compressed && (!next(&rest, &segment) || !find_compressor(segment, &r.compressor)))
		return rx_fail(err, RX_EPARSE,
			       "'compressed-blobs' must be followed by zstd, deflate or brotli");
	if (!parse_digest(&rest, &r, err))
		return false;
	if (rest.p) {
		if (!r.upload)
			return rx_fail(err, RX_EPARSE, "something follows the size");
		r.metadata = arena_strn(a, rest.p, rest.n);
	}
	*out = r;
	return true;
}

bool resource_parse(struct arena *a, struct rx_view name, struct resource *out, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf shown = { 0 };

	if (name.n > RESOURCE_NAME_MAX)
		return rx_fail(err, RX_ELIMIT, "resource name is %zu bytes, limit %d", name.n,
			       RESOURCE_NAME_MAX);
	if (name.n && (memchr(name.p, 0, name.n) || !utf8_valid(name.p, name.n)))
		return rx_fail(err, RX_EPARSE, "resource name is not UTF-8 text");
	if (!name.p)
		name = RX_VIEW("");
	if (parse(a, name, out, err))
		return true;
	utf8_add_safe(&shown, name.p, name.n, 300);
	return rx_wrap(err, "resource name '%s'", rx_buf_str(&shown));
}

static void add_blob(struct rx_buf *out, enum compressor c, const struct digest *d)
{
	enum digest_function f = (enum digest_function)d->function;
	char hex[129];

	digest_hex(d, hex);
	if (c != COMPRESSOR_IDENTITY)
		rx_buf_addf(out, "compressed-blobs/%s/", compressors[c]);
	else
		rx_buf_add_str(out, "blobs/");
	if (digest_function_is_named(f))
		rx_buf_addf(out, "%s/", digest_function_name(f));
	rx_buf_addf(out, "%s/%" PRId64, hex, d->size);
}

/* REAPI rule 152: as it is, and without a leading slash when there is none. */
static void add_instance(struct rx_buf *out, const char *instance)
{
	if (instance && *instance) {
		rx_buf_add_str(out, instance);
		rx_buf_add_char(out, '/');
	}
}

void resource_add_download(struct rx_buf *out, const char *instance, enum compressor c,
			   const struct digest *d)
{
	add_instance(out, instance);
	add_blob(out, c, d);
}

void resource_add_upload(struct rx_buf *out, const char *instance, const char *uuid,
			 enum compressor c, const struct digest *d)
{
	add_instance(out, instance);
	rx_buf_addf(out, "uploads/%s/", uuid);
	add_blob(out, c, d);
}

void resource_add_subject(struct rx_buf *out, const struct digest *d)
{
	add_blob(out, COMPRESSOR_IDENTITY, d);
}
