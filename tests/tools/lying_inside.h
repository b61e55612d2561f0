/* lying_inside: what the files of the lying server share. */
#pragma once

#include <pthread.h>

#include "lying.h"
#include "map.h"
#include "wire_ac.h"
#include "wire_bytestream.h"
#include "wire_capabilities.h"
#include "wire_execution.h"

#define LYING_HEADERS 8

struct lying_blob {
	struct digest digest;
	char *bytes;
};
/* A Write that has not ended: what QueryWriteStatus tells about. */
struct lying_partial {
	struct rx_buf bytes;
	bool complete;
};
struct lying_state {
	int times;
	int64_t n;
	char method[32]; /* "" = any */
};
struct lying {
	struct listener *listener;
	char *url, *unix_path;
	pthread_mutex_t lock;
	struct lying_state lies[LIE_COUNT];
	struct rx_map blobs;    /* digest key -> struct lying_blob */
	struct rx_map results;  /* action digest key -> struct rx_buf of an ActionResult */
	struct rx_map partials; /* resource name -> struct lying_partial */
	struct rx_map calls;    /* method -> count, as a pointer */
	struct rx_map largest;  /* method -> bytes, as a pointer */
	char *headers[LYING_HEADERS][2];
	int64_t written, sent;
	char instance[64];
	unsigned operations;
	struct digest last_action;
	void (*hung)(const char *lie);
};

/* One call's own: what a stream has seen. */
struct lying_call {
	struct lying *server;
	char *resource;
	struct digest digest;
	bool started;
	int64_t offset; /* of the next message */
};

/* Uses up one of its times. */
bool lying_lies(struct lying *s, enum lie lie);
/* The same for a lie that may be about one method. */
bool lying_lies_of(struct lying *s, enum lie lie, const char *method);
/* From here on nothing is said. */
void lying_hang(struct lying *s, enum lie lie);
int64_t lying_n(struct lying *s, enum lie lie);
/* Common to all calls: counts, remembers headers, tells the general lies. True: it was answered. */
void lying_measure(struct lying *s, const char *name, struct rx_view msg);
bool lying_begin(struct listen_call *c, struct rx_view msg);
void lying_fail(struct listen_call *c, int code, const char *message);
void lying_reply(struct listen_call *c, struct rx_buf *message);
/* NULL when absent. The bytes stay until lying_forget. */
const struct lying_blob *lying_find(struct lying *s, const struct digest *d);
bool lying_store(struct lying *s, const struct digest *d, struct rx_view bytes);

void lying_find_missing(struct listen_call *c, struct rx_view msg);
void lying_batch_update(struct listen_call *c, struct rx_view msg);
void lying_batch_read(struct listen_call *c, struct rx_view msg);
void lying_read(struct listen_call *c, struct rx_view msg);
void lying_read_more(struct listen_call *c);
void lying_write(struct listen_call *c, struct rx_view msg);
void lying_write_end(struct listen_call *c);
void lying_query(struct listen_call *c, struct rx_view msg);
void lying_call_closed(struct listen_call *c);
void lying_capabilities(struct listen_call *c, struct rx_view msg);
void lying_get_result(struct listen_call *c, struct rx_view msg);
void lying_update_result(struct listen_call *c, struct rx_view msg);
void lying_execute(struct listen_call *c, struct rx_view msg);
void lying_wait(struct listen_call *c, struct rx_view msg);
