/* threads_client: many threads put into one upload and fetch through one client. */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "lying_fixture.h"

#define THREADS 8
#define BLOBS   400

static struct fixture f;
static struct cas_upload *upload;

static char *blob_of(unsigned i, struct digest *d)
{
	return fixture_bytes(i % 50 == 0 ? 3 << 20 : 500 + i, i, d);
}

static void *put_some(void *arg)
{
	struct blob_sink *sink = cas_upload_sink(upload);
	unsigned first = (unsigned)(size_t)arg;

	/* Every blob is put by two threads. */
	for (unsigned i = 0; i < BLOBS; i++) {
		struct rx_err err = { 0 };
		struct digest d;
		char *p;

		if (i % THREADS != first && (i + 1) % THREADS != first)
			continue;
		p = blob_of(i, &d);
		if (!sink->put(sink, &(struct blob){ .digest = d, .bytes = { p, (size_t)d.size } },
			       &err)) {
			(void)fprintf(stderr, "%s\n", rx_err_text(&err));
			abort();
		}
		free(p);
	}
	return NULL;
}

static void *get_some(void *arg)
{
	unsigned first = (unsigned)(size_t)arg;

	for (unsigned i = first; i < BLOBS; i += THREADS) {
		struct rx_buf b = { .max = 4 << 20 };
		struct rx_err err = { 0 };
		struct digest d;
		char *p = blob_of(i, &d);

		if (!source_read(cas_source(f.client), &d, 4 << 20, &b, &err)) {
			(void)fprintf(stderr, "%s\n", rx_err_text(&err));
			abort();
		}
		if (b.n != (size_t)d.size || memcmp(b.p, p, b.n) != 0)
			abort();
		rx_buf_release(&b);
		free(p);
	}
	return NULL;
}

static void all(void *(*fn)(void *))
{
	pthread_t t[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		if (pthread_create(&t[i], NULL, fn, (void *)i) != 0)
			abort();
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

int main(void)
{
	struct cas_upload_stats stats;
	struct rx_err err = { 0 };

	fixture_start(&f);
	upload = cas_upload_new(fixture_client(&f));
	all(put_some);
	if (!cas_upload_finish(upload, &err)) {
		(void)fprintf(stderr, "%s\n", rx_err_text(&err));
		return 1;
	}
	cas_upload_stats(upload, &stats);
	cas_upload_free(upload);
	if (stats.blobs != BLOBS || stats.uploaded_blobs != BLOBS || lying_blobs(f.server) != BLOBS)
		return 1;
	all(get_some);
	fixture_stop(&f);
	return 0;
}
