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
};

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

/* Writes the known fields of a scanned message to out; returns the end. */
static char *clean(const ProtobufCMessageDescriptor *d, struct wire_reader *r, char *out)
{
	struct wire_reader inner;

	while (wire_next(r) == WIRE_FIELD) {
		const ProtobufCFieldDescriptor *f = known(d, r);
		char *end;
		size_t head;

		if (!f)
			continue;
		if (f->type != PROTOBUF_C_TYPE_MESSAGE || !wire_enter(r, "", &inner)) {
			memcpy(out, r->at, (size_t)(r->p - r->at));
			out += r->p - r->at;
			continue;
		}
		head = (size_t)(r->p - r->bytes.n - r->at);
		end = clean(f->descriptor, &inner, out + head);
		memcpy(out, r->at, (size_t)(r->body - r->at));
		put_padded(out + (r->body - r->at), (size_t)(end - (out + head)),
			   head - (size_t)(r->body - r->at));
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
	if (found & MARK_UNKNOWN_FIELD) {
		copy = arena_alloc(a, bytes.n);
		r = wire_reader(bytes, d->short_name, &found, err);
		*clean_out = (struct rx_view){ copy, (size_t)(clean(d, &r, copy) - copy) };
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
