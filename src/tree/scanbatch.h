/* scanbatch: the files of a scan, hashed in batches on a pool and pushed into its sink. */
#pragma once

#include <sys/stat.h>

#include "scan.h"

struct scanbatch;
struct scanbatch *scanbatch_new(const struct scan_options *o); /* o outlives it */
void scanbatch_free(struct scanbatch *s);                      /* waits */
/* Hashes n soon, perhaps now. */
RX_MUST_USE bool scanbatch_add(struct scanbatch *s, struct node *n, struct rx_err *err);
bool scanbatch_stopped(const struct scanbatch *s); /* something failed: finish says what */
RX_MUST_USE bool scanbatch_finish(struct scanbatch *s, struct rx_err *err);

/* Where a node is on disk. */
void scanbatch_local(const struct node *n, struct rx_buf *out);
/* Fills the properties that a node was given room for. */
void scanbatch_properties(const struct scan_options *o, struct node *n, const struct stat *st);
