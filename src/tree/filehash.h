/* filehash: an open file is read once and hashed on the way; small ones come out as bytes too. */
#pragma once

#include <sys/stat.h>

#include "digest.h"

/* One per thread. {0} plus filehash_init; reused from file to file. */
struct filehash {
	struct hash *hash;
	char *buf;
	size_t cap;
};
struct filehash_result {
	struct digest digest;
	struct stat st;
	struct rx_view bytes; /* until the next read; p == NULL: larger than `keep` */
};
void filehash_init(struct filehash *f);
void filehash_release(struct filehash *f);
/* fd must be a regular file (st says so), at its start. A file that changes meanwhile is RX_EIO.
 * name is for messages. */
RX_MUST_USE bool filehash_read(struct filehash *f, enum digest_function function, int fd,
			       const struct stat *st, int64_t keep, const char *name,
			       struct filehash_result *out, struct rx_err *err);
