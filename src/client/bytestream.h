/* bytestream: one blob at a time, up or down, in chunks (REAPI rules 70-101). */
#pragma once

#include "caps.h"

#define BYTESTREAM_CHUNK (1 << 20)

/* Where the bytes of an upload come from: at(offset) fills p with up to n. */
struct bytestream_input {
	struct rx_view bytes; /* when fd < 0 */
	int fd;
};
/* Retries, resumes by QueryWriteStatus where the server can. Early return is success. */
RX_MUST_USE bool bytestream_write(struct client *c, const struct digest *d,
				  const struct bytestream_input *in, struct rx_err *err);
/* Calls write for each piece in order; verifies size and hash; resumes by read_offset. missing_out:
 * NOT_FOUND. */
RX_MUST_USE bool bytestream_read(struct client *c, const struct digest *d,
				 bool (*write)(void *ctx, struct rx_view bytes, struct rx_err *err),
				 void *ctx, bool *missing_out, struct rx_err *err);
