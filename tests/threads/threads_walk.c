/* threads_walk: a walk on a pool, and what it stored made again by a source that delivers on
 * several threads. For ThreadSanitizer. */
#include <assert.h>
#include <stdlib.h>

#include "../unit/memory_store.h"
#include "materialise.h"
#include "walk.h"
#include "wire_tree.h"

#define FILES   1500
#define WORKERS 4

struct deliver {
	struct memory_store *store;
	struct blob_receiver *to;
	const struct digest *want;
	size_t n, from;
};

static void *deliver(void *arg)
{
	struct deliver *d = arg;
	struct rx_err err = { 0 };

	for (size_t i = d->from; i < d->n; i += WORKERS) {
		struct rx_view *v = memory_get(d->store, &d->want[i]);
		struct memory_store how = { .delivery = i % 3 };

		if (!memory_deliver(&how, &d->want[i], v ? *v : RX_VIEW(""), d->to, false, &err))
			abort();
	}
	return NULL;
}

static struct memory_store store;

static bool fetch(struct blob_source *self, const struct digest *want, size_t n,
		  struct blob_receiver *to, struct digest_list *missing, struct rx_err *err)
{
	pthread_t threads[WORKERS];
	struct deliver d[WORKERS];

	(void)self, (void)missing, (void)err;
	for (size_t i = 0; i < WORKERS; i++) {
		d[i] = (struct deliver){ &store, to, want, n, i };
		pthread_create(&threads[i], NULL, deliver, &d[i]);
	}
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	return true;
}

static struct walk_result walk(struct pool *pool, const char *path, struct arena *a)
{
	struct walk_options o = { .root_dir = ".",
				  .function = DIGEST_SHA256,
				  .codec = &wire_directory_codec,
				  .pool = pool,
				  .keep_bytes = WALK_KEEP_BYTES };
	struct walk_result r;
	enum node_kind kind;
	struct rx_err err = { 0 };

	if (!walk_path(&o, path, &store.sink, a, &kind, &r, &err))
		abort();
	return r;
}

int main(void)
{
	struct blob_source source = { fetch };
	struct pool *pool = pool_new(WORKERS, 8);
	struct arena arena = { 0 };
	struct scratch from, to;
	struct walk_result first, second;
	struct digest_list missing = { 0 };
	struct materialise_stats stats;
	struct materialise *m;
	struct rx_err err = { 0 };
	char path[64], text[32];

	memory_store_init(&store);
	scratch_init(&from);
	scratch_init(&to);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "d%d/e%d/f%d", i % 90, i % 7, i);
		snprintf(text, sizeof(text), "%d", i % 1000);
		scratch_write(&from, path, text, i % 2 ? 0644 : 0755);
	}
	first = walk(pool, from.path, &arena);
	m = materialise_new(&(struct materialise_options){
		.target_dir = to.path, .codec = &wire_directory_codec, .function = DIGEST_SHA256 });
	if (!materialise_tree(m, "", &first.root, &store.source, &missing, &err) ||
	    !materialise_run(m, &source, &missing, &stats, &err))
		abort();
	materialise_free(m);
	second = walk(pool, to.path, &arena);
	if (!digest_eq(&first.root, &second.root) || stats.files != FILES)
		abort();
	pool_free(pool);
	scratch_release(&from);
	scratch_release(&to);
	memory_store_release(&store);
	digest_list_release(&missing);
	arena_release(&arena);
	return 0;
}
