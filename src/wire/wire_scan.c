/* wire_scan: received bytes are checked against a message descriptor before protobuf-c sees them.
 */
#include "wire_scan.h"

#include <assert.h>

#include "limit.h"
#include "wire_reader.h"

static bool is_varint(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		return true;
	default:
		return false;
	}
}

/* The descriptor of the field the reader is at, NULL when it is unknown: by its number, or by a
 * wire type that its type cannot have. */
static const ProtobufCFieldDescriptor *known(const ProtobufCMessageDescriptor *d,
					     const struct wire_reader *r)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, r->number);

	if (!f)
		return NULL;
	switch (r->key & 7) {
	case WIRE_BYTES:
		if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES ||
		    f->type == PROTOBUF_C_TYPE_MESSAGE)
			return f;
		return f->label == PROTOBUF_C_LABEL_REPEATED ? f : NULL; /* packed */
	case WIRE_VARINT:
		return is_varint(f->type) ? f : NULL;
	default:
		return NULL; /* no message of ours has a fixed number */
	}
}

struct scan {
	size_t elements;
	bool split; /* a singular message came in several pieces */
};

static bool is_singular_message(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED &&
	       !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
}

/* True when the field was met before in this message. */
static bool meet(uint64_t *met, const ProtobufCMessageDescriptor *d,
		 const ProtobufCFieldDescriptor *f)
{
	size_t i = (size_t)(f - d->fields);
	bool before;

	assert(i < 64);
	before = *met >> i & 1;
	*met |= (uint64_t)1 << i;
	return before;
}

static bool count(struct scan *s, struct wire_reader *r)
{
	if (++s->elements > LIMIT_ELEMENTS)
		return rx_fail(r->err, RX_ELIMIT, "%s: more than %u elements", r->message,
			       LIMIT_ELEMENTS);
	return true;
}

static bool scan_packed(struct scan *s, const ProtobufCFieldDescriptor *f, struct wire_reader *r)
{
	const char *p = r->bytes.p, *end = p + r->bytes.n;
	uint64_t v;

	assert(is_varint(f->type));
	wire_bytes(r); /* one piece, not empty */
	while (p < end) {
		p = wire_get_varint(p, end, 10, &v, r->marks);
		if (!p)
			return wire_bad(r, f->name, "the number does not end within 64 bits");
		if (!count(s, r))
			return false;
	}
	return true;
}

static void scan_number(const ProtobufCFieldDescriptor *f, struct wire_reader *r)
{
	bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;

	if (repeated || f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		if (repeated) /* would be packed */
			*r->marks |= MARK_ENCODING;
		else
			wire_once(r);
		return;
	}
	switch (f->type) {
	case PROTOBUF_C_TYPE_BOOL:
		wire_bool(r);
		return;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		wire_int32(r);
		return;
	case PROTOBUF_C_TYPE_UINT32:
		wire_uint32(r);
		return;
	default:
		wire_int64(r);
	}
}

static bool scan(struct scan *s, const ProtobufCMessageDescriptor *d, struct wire_reader *r)
{
	enum wire_step step;
	struct wire_reader inner;
	struct rx_view text;
	uint64_t met = 0;

	while ((step = wire_next(r)) == WIRE_FIELD) {
		const ProtobufCFieldDescriptor *f = known(d, r);
		bool repeated, once;

		if (!f) {
			wire_unknown(r);
			continue;
		}
		repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
		once = !repeated && !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
		if (repeated && !count(s, r))
			return false;
		if ((r->key & 7) == WIRE_VARINT) {
			scan_number(f, r);
			continue;
		}
		switch (f->type) {
		case PROTOBUF_C_TYPE_STRING:
			if (!(once ? wire_text(r, f->name, &text)
				   : wire_element(r, f->name, &text)))
				return false;
			break;
		case PROTOBUF_C_TYPE_BYTES:
			if (once)
				wire_bytes(r);
			break;
		case PROTOBUF_C_TYPE_MESSAGE:
			if (!repeated)
				wire_once(r);
			if (is_singular_message(f) && meet(&met, d, f))
				s->split = true;
			if (!wire_enter(
				    r,
				    ((const ProtobufCMessageDescriptor *)f->descriptor)->short_name,
				    &inner) ||
			    !count(s, r) || !scan(s, f->descriptor, &inner))
				return false;
			break;
		default:
			if (!scan_packed(s, f, r))
				return false;
		}
	}
	return step == WIRE_END;
}

/* Writes n into exactly `width` bytes, so that a message that lost something keeps its place. */
static char *put_padded(char *p, size_t n, size_t width)
{
	for (; width > 1; width--) {
		*p++ = (char)(n | 0x80);
		n >>= 7;
	}
	*p++ = (char)n;
	return p;
}

/* All pieces of the singular message that the reader is at, joined: what they mean together. */
static struct rx_view join(struct arena *a, const struct wire_reader *r)
{
	struct wire_reader rest = *r;
	size_t n = r->bytes.n;
	char *joined, *p;

	while (wire_next(&rest) == WIRE_FIELD)
		if (rest.key == r->key)
			n += rest.bytes.n;
	if (n == r->bytes.n)
		return r->bytes;
	joined = p = arena_alloc(a, n);
	memcpy(p, r->bytes.p, r->bytes.n);
	p += r->bytes.n;
	for (rest = *r; wire_next(&rest) == WIRE_FIELD;) {
		if (rest.key != r->key)
			continue;
		memcpy(p, rest.bytes.p, rest.bytes.n);
		p += rest.bytes.n;
	}
	return (struct rx_view){ joined, n };
}

/* Writes the known fields of a scanned message to out; returns the end. The pieces of a split
 * message become one, as protobuf-c loses numbers when it merges them. */
static char *clean(struct arena *a, const ProtobufCMessageDescriptor *d, struct wire_reader *r,
		   char *out)
{
	uint64_t met = 0;

	while (wire_next(r) == WIRE_FIELD) {
		const ProtobufCFieldDescriptor *f = known(d, r);
		struct wire_reader whole = *r, inner;
		char *length, *end;
		size_t width; /* of the length */

		if (!f)
			continue;
		if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
			memcpy(out, r->at, (size_t)(r->p - r->at));
			out += r->p - r->at;
			continue;
		}
		width = (size_t)(r->bytes.p - r->body);
		if (is_singular_message(f)) {
			if (meet(&met, d, f))
				continue;
			whole.bytes = join(a, r);
			if (whole.bytes.n != r->bytes.n)
				width = 5;
		}
		if (!wire_enter(&whole, whole.message, &inner))
			break; /* cannot be: the scan went as deep */
		memcpy(out, r->at, (size_t)(r->body - r->at));
		length = out + (r->body - r->at);
		end = clean(a, f->descriptor, &inner, length + width);
		put_padded(length, (size_t)(end - (length + width)), width);
		out = end;
	}
	return out;
}

bool wire_scan(struct arena *a, const ProtobufCMessageDescriptor *d, struct rx_view bytes,
	       unsigned *marks, struct rx_view *clean_out, struct rx_err *err)
{
	struct scan s = { 0 };
	unsigned found = 0;
	struct wire_reader r = wire_reader(bytes, d->short_name, &found, err);
	char *copy;

	if (!scan(&s, d, &r))
		return false;
	*marks |= found;
	*clean_out = bytes;
	if (found & MARK_UNKNOWN_FIELD || s.split) {
		/* A joined message takes at most two bytes more than its pieces, which had four
		 * of keys and lengths. */
		copy = arena_alloc(a, 2 * bytes.n);
		r = wire_reader(bytes, d->short_name, &found, err);
		*clean_out = (struct rx_view){ copy, (size_t)(clean(a, d, &r, copy) - copy) };
	}
	return true;
}

static void *in_arena(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void not_alone(void *arena, void *p)
{
	(void)arena, (void)p; /* nothing in an arena is freed alone */
}

void *wire_unpack(struct arena *a, const ProtobufCMessageDescriptor *d, struct rx_view bytes,
		  size_t limit, unsigned *marks, struct rx_err *err)
{
	ProtobufCAllocator allocator = { in_arena, not_alone, a };
	struct rx_view clean_bytes;
	void *m;

	if (bytes.n > limit) {
		rx_fail(err, RX_ELIMIT, "%s is %zu bytes, limit %zu", d->short_name, bytes.n,
			limit);
		return NULL;
	}
	if (!wire_scan(a, d, bytes, marks, &clean_bytes, err))
		return NULL;
	m = protobuf_c_message_unpack(d, &allocator, clean_bytes.n, (const uint8_t *)clean_bytes.p);
	if (!m)
		rx_fail(err, RX_EPARSE, "%s: protobuf-c cannot decode it", d->short_name);
	return m;
}

void wire_pack(const ProtobufCMessage *m, struct rx_buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	protobuf_c_message_pack(m, (uint8_t *)p);
	rx_buf_grew(out, n);
}
