/* wire_digest: the Digest message by hand, for everything that has thousands of them. */
#pragma once

#include "digest.h"
#include "wire_reader.h"

/* Size of the field Digest takes, key and length included; numbers up to 15. */
size_t wire_digest_field_size(const struct digest *d);
char *wire_put_digest(char *p, unsigned number, const struct digest *d);

/* A Digest as received. When the field comes twice the parts are merged, as decoders do. */
struct wire_digest_parts {
	bool present;
	struct rx_view hex;
	int64_t size;
};
/* Reads the Digest in the field the reader is at. */
RX_MUST_USE bool wire_read_digest(struct wire_reader *r, struct wire_digest_parts *parts);
/* Fails with "Message.field: why" when the Digest is absent (REAPI rule 19) or wrong. *f UNKNOWN
 * becomes the function that the hash's length tells, as one message has one function (rule 28). */
RX_MUST_USE bool wire_make_digest(struct wire_reader *r, const char *field,
				  const struct wire_digest_parts *parts, enum digest_function *f,
				  struct digest *out);
