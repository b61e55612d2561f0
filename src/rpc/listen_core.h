/* listen_core: what the listener and its calls know of each other; private to this room. */
#pragma once

#include <pthread.h>

#include <grpc/grpc.h>

#include "listen.h"
#include "map.h"
#include "op.h"

struct listener {
	struct loop *loop;
	struct pool *pool;
	void *ctx;
	unsigned max_calls;
	char *unix_path; /* NULL for TCP */
	int port;
	struct rx_map methods; /* path -> struct listen_method */
	grpc_server *server;
	struct op down;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t live;  /* calls whose `closed` has not returned */
	size_t armed; /* requests waiting for calls */
	bool is_down;
};

/* On the loop. Takes call over; the rest is copied. refusal: answer RESOURCE_EXHAUSTED at once. */
void listen_call_accept(struct listener *l, grpc_call *call, const grpc_call_details *details,
			const grpc_metadata_array *headers, bool full);
/* A call has closed. */
void listener_left(struct listener *l);
