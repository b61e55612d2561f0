/* cas: find missing, upload, download. Batches and streams are chosen by plan, run in parallel,
 * retried entry by entry. */
#pragma once

#include "caps.h"
#include "source.h"

/* Which of these the server lacks, each once, in the order given. */
RX_MUST_USE bool cas_find_missing(struct client *c, const struct digest *d, size_t n,
				  struct digest_list *missing, struct rx_err *err);

/* An upload is a sink that finds out what is missing in windows and sends it while more comes in.
 * Memory is bounded: blobs put as bytes are kept up to a cap, then put blocks; files are re-read
 * when sent. */
struct cas_upload;
struct cas_upload *cas_upload_new(struct client *c);
struct blob_sink *cas_upload_sink(struct cas_upload *u);
/* Waits until everything put is on the server. */
RX_MUST_USE bool cas_upload_finish(struct cas_upload *u, struct rx_err *err);
void cas_upload_free(struct cas_upload *u); /* cancels when not finished */
struct cas_upload_stats {
	size_t blobs, uploaded_blobs;
	int64_t bytes, uploaded_bytes;
};
void cas_upload_stats(const struct cas_upload *u, struct cas_upload_stats *out);
/* Sends without asking what is missing (REAPI rule 118). */
void cas_upload_set_force(struct cas_upload *u, bool force);

/* The server's blobs as a source: batched and streamed in parallel, each verified (REAPI rules
 * 65-81). */
struct blob_source *cas_source(struct client *c); /* borrowed; lives as long as the client */
