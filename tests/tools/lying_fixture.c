/* lying_fixture: starts and stops them in order, so that sanitizers see every leak. */
#include "lying_fixture.h"

#include <stdio.h>

void fixture_start(struct fixture *f)
{
	static unsigned count;
	struct rx_err err = { 0 };

	*f = (struct fixture){ 0 };
	f->loop = loop_new();
	f->pool = pool_new(2, 64);
	f->server_pool = pool_new(4, 64);
	(void)snprintf(f->url, sizeof(f->url), "unix:///tmp/rx-lying-%d-%u", (int)getpid(),
		       count++);
	f->server = lying_new(f->loop, f->server_pool, f->url, &err);
	if (!f->server) {
		(void)fprintf(stderr, "%s\n", rx_err_text(&err));
		abort();
	}
	f->settings = (struct endpoint_settings){
		.remote = f->url, .instance = "main", .retries = 3, .retries_set = true
	};
}

struct client *fixture_client(struct fixture *f)
{
	struct rx_err err = { 0 };

	if (!f->client)
		f->client = client_new(f->loop, f->pool, &f->settings, &err);
	if (!f->client) {
		(void)fprintf(stderr, "%s\n", rx_err_text(&err));
		abort();
	}
	return f->client;
}

void fixture_stop(struct fixture *f)
{
	client_free(f->client);
	lying_free(f->server);
	pool_free(f->pool);
	pool_free(f->server_pool);
	loop_free(f->loop);
}

char *fixture_bytes(size_t n, unsigned seed, struct digest *d_out)
{
	char *p = xmalloc(n + 1);
	uint32_t x = seed * 2654435761u + 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = (char)(x >> 24);
	}
	p[n] = 0;
	if (d_out)
		digest_of(DIGEST_SHA256, p, n, d_out);
	return p;
}
