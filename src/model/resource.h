/* resource: ByteStream resource names (REAPI rules 70, 83, 152-154). */
#pragma once

#include "arena.h"
#include "digest.h"

enum compressor {
	COMPRESSOR_IDENTITY = 0,
	COMPRESSOR_ZSTD = 1,
	COMPRESSOR_DEFLATE = 2,
	COMPRESSOR_BROTLI = 3
};

struct resource {
	bool upload;
	const char *instance; /* "" when none */
	const char *uuid;     /* uploads only */
	enum compressor compressor;
	struct digest digest;
	const char *metadata; /* trailing part of an upload name, "" when none */
};
#define RESOURCE_NAME_MAX 4096

RX_MUST_USE bool resource_parse(struct arena *a, struct rx_view name, struct resource *out,
				struct rx_err *err);
void resource_add_download(struct rx_buf *out, const char *instance, enum compressor c,
			   const struct digest *d);
void resource_add_upload(struct rx_buf *out, const char *instance, const char *uuid,
			 enum compressor c, const struct digest *d);
/* "blobs/..." without instance: the subject of a MISSING violation. */
void resource_add_subject(struct rx_buf *out, const struct digest *d);
/* No reserved segment, no leading, trailing or double slash (REAPI rule 153). RX_EUSAGE otherwise.
 */
RX_MUST_USE bool resource_check_instance(const char *instance, struct rx_err *err);
