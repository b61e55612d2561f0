/* wire_reader: steps through the fields of a received message without copying. */
#include "wire_reader.h"

#include "limit.h"
#include "utf8.h"

struct wire_reader wire_reader(struct rx_view bytes, const char *message, unsigned *marks,
			       struct rx_err *err)
{
	const char *p = bytes.n ? bytes.p : "";

	return (struct wire_reader){
		.p = p,
		.end = p + bytes.n,
		.base = p,
		.message = message,
		.marks = marks,
		.err = err,
	};
}

static bool malformed(struct wire_reader *r, const char *why)
{
	rx_fail(r->err, RX_EPARSE, "%s: %s at byte %zu", r->message, why,
		(size_t)(r->at - r->base));
	return false;
}

bool wire_bad(struct wire_reader *r, const char *field, const char *why)
{
	return rx_fail(r->err, RX_EPARSE, "%s.%s: %s at byte %zu", r->message, field, why,
		       (size_t)(r->at - r->base));
}

/* Key and value at r->p. Keys and lengths of more than five bytes are refused by every decoder. */
static bool read_field(struct wire_reader *r)
{
	uint64_t key, length;
	const char *p;

	r->at = r->p;
	p = wire_get_varint(r->p, r->end, 5, &key, r->marks);
	if (!p || key > UINT32_MAX || !(key >> 3))
		return malformed(r, "there is no field key");
	r->key = (uint32_t)key;
	r->number = r->key >> 3;
	r->body = p;
	switch (key & 7) {
	case WIRE_VARINT:
		r->p = wire_get_varint(p, r->end, 10, &r->value, r->marks);
		if (!r->p) {
			r->p = p;
			return malformed(r, "the number does not end within 64 bits");
		}
		return true;
	case WIRE_BYTES:
		p = wire_get_varint(p, r->end, 5, &length, r->marks);
		if (!p)
			return malformed(r, "there is no length");
		if (length > (size_t)(r->end - p))
			return malformed(r, "the length runs past the end");
		r->bytes = (struct rx_view){ p, (size_t)length };
		r->p = p + length;
		return true;
	case WIRE_FIXED32:
	case WIRE_FIXED64:
		length = (key & 7) == WIRE_FIXED32 ? 4 : 8;
		if (length > (size_t)(r->end - p))
			return malformed(r, "the number runs past the end");
		r->p = p + length;
		return true;
	case WIRE_GROUP:
	case WIRE_GROUP_END:
		r->p = p;
		return true;
	default:
		return malformed(r, "the wire type does not exist");
	}
}

/* Behind the start of a group: skips to behind its end. Fields within are read and forgotten. */
static bool skip_group(struct wire_reader *r)
{
	uint32_t open[LIMIT_NESTING];
	unsigned n = 0;

	open[n++] = r->number;
	while (n) {
		if (r->p == r->end)
			return malformed(r, "a group does not end");
		if (!read_field(r))
			return false;
		if ((r->key & 7) == WIRE_GROUP) {
			if (r->depth + n >= LIMIT_NESTING)
				return rx_fail(r->err, RX_ELIMIT,
					       "%s: groups nest deeper than %d at byte %zu",
					       r->message, LIMIT_NESTING,
					       (size_t)(r->at - r->base));
			open[n++] = r->number;
		} else if ((r->key & 7) == WIRE_GROUP_END) {
			if (open[--n] != r->number)
				return malformed(r, "a group ends as another one");
		}
	}
	return true;
}

enum wire_step wire_next(struct wire_reader *r)
{
	r->before = r->number;
	while (r->p < r->end) {
		if (!read_field(r))
			return WIRE_BAD;
		if (r->number < r->before)
			*r->marks |= MARK_ENCODING;
		if ((r->key & 7) == WIRE_GROUP_END) {
			malformed(r, "a group ends that did not start");
			return WIRE_BAD;
		}
		if ((r->key & 7) != WIRE_GROUP)
			return WIRE_FIELD;
		wire_unknown(r);
		if (!skip_group(r))
			return WIRE_BAD;
	}
	return WIRE_END;
}

bool wire_enter(struct wire_reader *r, const char *message, struct wire_reader *inner)
{
	if (r->depth + 1 >= LIMIT_NESTING)
		return rx_fail(r->err, RX_ELIMIT, "%s: messages nest deeper than %d at byte %zu",
			       r->message, LIMIT_NESTING, (size_t)(r->at - r->base));
	*inner = wire_reader(r->bytes, message, r->marks, r->err);
	if (r->bytes.n)
		inner->base = r->base;
	inner->depth = r->depth + 1;
	return true;
}

void wire_unknown(struct wire_reader *r)
{
	*r->marks |= MARK_UNKNOWN_FIELD;
}

void wire_once(struct wire_reader *r)
{
	/* Two that are not neighbours break the order of fields, which wire_next marks. */
	if (r->number == r->before)
		*r->marks |= MARK_ENCODING | MARK_DUPLICATE;
}

static void scalar(struct wire_reader *r, bool canonical)
{
	wire_once(r);
	if (!canonical)
		*r->marks |= MARK_ENCODING;
}

int64_t wire_int64(struct wire_reader *r)
{
	scalar(r, r->value != 0);
	return (int64_t)r->value;
}

int32_t wire_int32(struct wire_reader *r)
{
	int32_t v = (int32_t)r->value;

	/* REAPI rule 5: negative numbers are written in ten bytes */
	scalar(r, v != 0 && (uint64_t)v == r->value);
	return v;
}

uint32_t wire_uint32(struct wire_reader *r)
{
	uint32_t v = (uint32_t)r->value;

	scalar(r, v != 0 && v == r->value);
	return v;
}

bool wire_bool(struct wire_reader *r)
{
	scalar(r, r->value == 1);
	return r->value != 0;
}

struct rx_view wire_bytes(struct wire_reader *r)
{
	scalar(r, r->bytes.n != 0);
	return r->bytes;
}

bool wire_element(struct wire_reader *r, const char *field, struct rx_view *out)
{
	if (r->bytes.n && memchr(r->bytes.p, 0, r->bytes.n))
		return wire_bad(r, field, "holds a NUL");
	if (r->bytes.n && !utf8_valid(r->bytes.p, r->bytes.n))
		return wire_bad(r, field, "is not UTF-8");
	*out = r->bytes;
	return true;
}

bool wire_text(struct wire_reader *r, const char *field, struct rx_view *out)
{
	scalar(r, r->bytes.n != 0);
	return wire_element(r, field, out);
}
