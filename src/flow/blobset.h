/* blobset: the blobs of one action on this machine, by digest: small made ones as bytes, files as
 * paths, so that a cache hit costs no memory and a miss reads again only what the server lacks. A
 * sink while the tree is walked, then a source, then something that can be sent. put is
 * thread-safe; the rest belongs to one thread. */
#pragma once

#include "source.h"

struct blobset;
struct blobset *blobset_new(void);
void blobset_free(struct blobset *s);
struct blob_sink *blobset_sink(struct blobset *s);
/* What the set lacks is asked from `behind` (NULL: it is missing). Files are verified when
 * delivered. */
struct blob_source *blobset_source(struct blobset *s, struct blob_source *behind);
bool blobset_has(const struct blobset *s, const struct digest *d);
int64_t blobset_size(const struct blobset *s); /* of all blobs together */
/* The bytes of a blob that was put as bytes, else an empty view. */
struct rx_view blobset_bytes(const struct blobset *s, const struct digest *d);
/* Puts every blob into sink. */
RX_MUST_USE bool blobset_send_all(struct blobset *s, struct blob_sink *sink, struct rx_err *err);
/* One of them; RX_ENOENT when the set lacks it. */
RX_MUST_USE bool blobset_send(struct blobset *s, const struct digest *d, struct blob_sink *sink,
			      struct rx_err *err);
