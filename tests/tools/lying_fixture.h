/* lying_fixture: a lying server and a client of it, for tests. */
#pragma once

#include <unistd.h>

#include "cas.h"
#include "lying.h"

struct fixture {
	struct loop *loop;
	struct pool *pool, *server_pool;
	struct lying *server;
	struct client *client;
	struct endpoint_settings settings;
	char url[64];
};
void fixture_start(struct fixture *f);
/* A client by f->settings; made at the first use when a test did not want its own settings. */
struct client *fixture_client(struct fixture *f);
void fixture_stop(struct fixture *f);
/* n bytes that differ by seed, and their digest. */
char *fixture_bytes(size_t n, unsigned seed, struct digest *d_out);
