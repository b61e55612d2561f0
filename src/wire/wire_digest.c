/* wire_digest: the Digest message by hand, for everything that has thousands of them. */
#include "wire_digest.h"

static size_t content_size(const struct digest *d)
{
	return (d->len ? wire_bytes_size(2 * (size_t)d->len) : 0) +
	       wire_number_size((uint64_t)d->size);
}

size_t wire_digest_field_size(const struct digest *d)
{
	return wire_bytes_size(content_size(d));
}

char *wire_put_digest(char *p, unsigned number, const struct digest *d)
{
	static const char hex[] = "0123456789abcdef";

	p = wire_put_length(p, number, content_size(d));
	if (d->len) {
		p = wire_put_length(p, 1, 2 * (size_t)d->len);
		for (size_t i = 0; i < d->len; i++) {
			*p++ = hex[d->hash[i] >> 4];
			*p++ = hex[d->hash[i] & 15];
		}
	}
	return wire_put_number(p, 2, (uint64_t)d->size);
}

bool wire_read_digest(struct wire_reader *r, struct wire_digest_parts *parts)
{
	enum wire_step step;
	struct wire_reader in;

	if (!wire_enter(r, "Digest", &in))
		return false;
	parts->present = true;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		switch (in.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			/* digest_from_parts takes hexadecimal only, so text needs no other check */
			parts->hex = wire_bytes(&in);
			break;
		case WIRE_KEY(2, WIRE_VARINT):
			parts->size = wire_int64(&in);
			break;
		default:
			wire_unknown(&in);
		}
	}
	return step == WIRE_END;
}

bool wire_make_digest(struct wire_reader *r, const char *field,
		      const struct wire_digest_parts *parts, enum digest_function *f,
		      struct digest *out)
{
	if (!parts->present)
		return wire_bad(r, field, "is missing");
	if (!digest_from_parts(*f, parts->hex, parts->size, out, r->err))
		return rx_wrap(r->err, "%s.%s", r->message, field);
	*f = (enum digest_function)out->function;
	return true;
}
