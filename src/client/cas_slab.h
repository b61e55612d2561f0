/* cas_slab: what cas_upload and cas_send share: slabs of packed entries, and the jobs of sending.
 */
#pragma once

#include "client_state.h"
#include "wire_cas.h"

#define CAS_HEADER_ROOM    4096 /* instance and function in front of the entries */
#define CAS_SLAB_BYTES     ((2 << 20) - CAS_HEADER_ROOM)
#define UPLOAD_SLABS       16         /* in memory at once: 32 MiB for a far server, */
#define UPLOAD_SLABS_LOCAL 4          /* 8 MiB for a near one: untouched pages cost nothing */
#define UPLOAD_LOOSE_BYTES (32 << 20) /* of blobs in memory that are too large for a batch */
#define UPLOAD_READ_BYTES  (1 << 20)  /* files up to this size are read at once */
#define UPLOAD_FILE_WINDOW (64 << 20) /* of larger files: then their window closes */
#define UPLOAD_THREADS     32

struct cas_item {
	uint32_t start, data, end; /* of the packed entry in the slab; start == end: not packed */
	const char *name;          /* for messages; may be NULL */
	const char *path;          /* a file to stream, or */
	char *loose;               /* bytes to stream */
};
/* A window: digests to ask about, and the entries of a batch, packed as they came. */
struct cas_slab {
	struct cas_upload *upload;
	struct cas_slab *next;
	atomic_int refs;    /* job and messages on their way; 0 = reusable */
	atomic_int writers; /* filling their entries; 0 = sealed and written */
	struct rx_buf buf;
	struct digest *digests;
	struct cas_item *items;
	uint8_t *missing;
	size_t n;
	int64_t file_bytes;
	struct arena names;
};

enum cas_job_kind { CAS_JOB_SLAB, CAS_JOB_RUN, CAS_JOB_STREAM };
struct cas_job {
	struct cas_job *next;
	enum cas_job_kind kind;
	struct cas_slab *slab; /* a reference; SLAB, RUN */
	uint32_t *idx;         /* RUN: items in one batch */
	size_t n;
	struct digest digest; /* STREAM: path or bytes, both owned */
	char *path, *bytes, *name;
};

struct cas_upload {
	struct blob_sink sink;
	struct client *client;
	bool force;
	unsigned max_threads, max_slabs;
	pthread_mutex_t lock;
	pthread_cond_t work; /* for senders: a job or the end */
	pthread_cond_t room; /* for put and finish: memory, or all is sent */
	struct rx_map seen;
	struct cas_slab *open, *free_slabs;
	unsigned slabs_out, sealing;
	int64_t loose_bytes;
	struct cas_job *jobs, *last_job;
	size_t queued, pending; /* jobs waiting; waiting or running */
	pthread_t threads[UPLOAD_THREADS];
	unsigned n_threads, idle;
	bool stop, dead;
	atomic_bool failed;
	struct rx_err error;
	atomic_size_t blobs, uploaded_blobs;
	atomic_int_least64_t bytes, uploaded_bytes;
};

RX_MUST_USE bool cas_upload_put(struct blob_sink *self, const struct blob *b, struct rx_err *err);
/* cas_jobs.c: queue takes the job over; fail keeps the first error; join ends the threads. */
void cas_upload_queue(struct cas_upload *u, struct cas_job *job);
void cas_upload_fail(struct cas_upload *u, struct rx_err *err);
void cas_upload_join(struct cas_upload *u);
void cas_slab_unref(void *slab);
/* cas_send.c */
RX_MUST_USE bool cas_job_run(struct cas_upload *u, struct cas_job *job, struct rx_err *err);
