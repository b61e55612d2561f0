/* test_plan: batches keep every limit, lose nothing, are few, and are made fast. */
#include <criterion/criterion.h>

#include "clock.h"
#include "plan.h"

/* As REAPI rule 47 counts a sha256 entry. */
static size_t vl(uint64_t v)
{
	size_t n = 1;

	while (v >>= 7)
		n++;
	return n;
}

static size_t entry(int64_t size)
{
	size_t d = 1 + vl(64) + 64 + (size ? 1 + vl((uint64_t)size) : 0);
	size_t r = 1 + vl(d) + d + (size ? 1 + vl((uint64_t)size) + (size_t)size : 0);

	return 1 + vl(r) + r;
}

static struct plan_item *items_of(const int64_t *sizes, size_t n)
{
	struct plan_item *v = calloc(n, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = (struct plan_item){ .digest = { .len = 32, .size = sizes[i] },
					   .entry_bytes = entry(sizes[i]),
					   .index = i };
	return v;
}

/* Every item exactly once, every batch within every limit, streams only what fits nowhere. */
static void check(const struct plan_limits *l, const struct plan_item *v, size_t n,
		  const struct plan *p)
{
	int64_t message = l->message_bytes ? l->message_bytes : PLAN_MESSAGE_BYTES;
	size_t most = l->items ? l->items : PLAN_ITEMS;
	char *seen = calloc(n + 1, 1);

	for (size_t b = 0; b < p->n_batches; b++) {
		int64_t encoded = (int64_t)l->header_bytes, blobs = 0;

		cr_expect(p->batch_start[b + 1] > p->batch_start[b], "batch %zu is empty", b);
		cr_expect(p->batch_start[b + 1] - p->batch_start[b] <= most);
		for (size_t i = p->batch_start[b]; i < p->batch_start[b + 1]; i++) {
			seen[p->order[i]]++;
			encoded += (int64_t)v[p->order[i]].entry_bytes;
			blobs += v[p->order[i]].digest.size;
		}
		cr_expect(encoded <= message);
		if (l->blob_bytes) {
			cr_expect(blobs <= l->blob_bytes);
			cr_expect(encoded <= l->blob_bytes, "some servers count the message");
		}
	}
	for (size_t i = 0; i < p->n_streams; i++) {
		size_t at = p->streams[i];
		int64_t limit = l->blob_bytes ? RX_MIN(l->blob_bytes, message) : message;

		seen[at]++;
		cr_expect((int64_t)(v[at].entry_bytes + l->header_bytes) > limit);
	}
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(seen[i], 1, "item %zu came %d times", i, seen[i]);
	free(seen);
}

static size_t batches(struct plan_limits l, const int64_t *sizes, size_t n, size_t *streams)
{
	struct plan_item *v = items_of(sizes, n);
	struct plan p;
	size_t count;

	plan_make(&l, v, n, &p);
	check(&l, v, n, &p);
	count = p.n_batches;
	if (streams)
		*streams = p.n_streams;
	plan_release(&p);
	free(v);
	return count;
}

Test(plan, nothing_needs_no_batch)
{
	cr_expect_eq(batches((struct plan_limits){ 0 }, NULL, 0, NULL), 0);
}

Test(plan, rule_44_no_stated_limit_still_means_the_message_limit)
{
	int64_t sizes[8];
	size_t streams;

	for (size_t i = 0; i < 8; i++)
		sizes[i] = 1 << 20;
	/* 3 fit below 4 MiB - 64 KiB */
	cr_expect_eq(batches((struct plan_limits){ .blob_bytes = 0 }, sizes, 8, &streams), 3);
	cr_expect_eq(streams, 0);
}

Test(plan, rule_45_counts_framing)
{
	/* Blobs alone would fit exactly twice; with their framing only one does. */
	int64_t sizes[] = { 500, 500 };

	cr_expect_eq(batches((struct plan_limits){ .blob_bytes = 1000 }, sizes, 2, NULL), 2);
	cr_expect_eq(batches((struct plan_limits){ .blob_bytes = 2 * (int64_t)entry(500) }, sizes,
			     2, NULL),
		     1);
	cr_expect_eq(batches((struct plan_limits){ .blob_bytes = 2 * (int64_t)entry(500) - 1 },
			     sizes, 2, NULL),
		     2);
}

Test(plan, rule_46_stays_below_four_mib_whatever_is_stated)
{
	int64_t sizes[40];

	for (size_t i = 0; i < 40; i++)
		sizes[i] = 200 << 10;
	cr_expect_geq(batches((struct plan_limits){ .blob_bytes = 64 << 20 }, sizes, 40, NULL), 2);
}

Test(plan, rule_69_a_blob_whose_entry_does_not_fit_is_streamed)
{
	int64_t sizes[] = { 1000, 10 };
	size_t streams;

	cr_expect_eq(batches((struct plan_limits){ .blob_bytes = 1000 }, sizes, 2, &streams), 1);
	cr_expect_eq(streams, 1);
}

Test(plan, header_counts)
{
	int64_t sizes[] = { 100 };
	size_t streams;

	batches((struct plan_limits){ .message_bytes = (int64_t)entry(100) + 10,
				      .header_bytes = 10 },
		sizes, 1, &streams);
	cr_expect_eq(streams, 0);
	batches((struct plan_limits){ .message_bytes = (int64_t)entry(100) + 10,
				      .header_bytes = 11 },
		sizes, 1, &streams);
	cr_expect_eq(streams, 1);
}

Test(plan, items_are_capped)
{
	int64_t sizes[1001] = { 0 };

	cr_expect_eq(batches((struct plan_limits){ .items = 100 }, sizes, 1001, NULL), 11);
}

Test(plan, few_batches_for_mixed_sizes)
{
	enum { N = 5000 };
	static int64_t sizes[N];
	uint32_t x = 12345;
	int64_t total = 0;
	size_t got;

	for (size_t i = 0; i < N; i++) {
		x = x * 1664525u + 1013904223u;
		sizes[i] = (x >> 8) % (1 << 20);
		total += (int64_t)entry(sizes[i]);
	}
	got = batches((struct plan_limits){ 0 }, sizes, N, NULL);
	cr_expect(got <= (size_t)(total / PLAN_MESSAGE_BYTES + 1) * 103 / 100 + 1,
		  "%zu batches for %ld bytes", got, (long)total);
}

Test(plan, same_items_same_plan)
{
	int64_t sizes[200];
	struct plan_item *v;
	struct plan p, q;
	struct plan_limits l = { .blob_bytes = 5000 };

	for (size_t i = 0; i < 200; i++)
		sizes[i] = (int64_t)(i * 37 % 900);
	v = items_of(sizes, 200);
	plan_make(&l, v, 200, &p);
	plan_make(&l, v, 200, &q);
	cr_assert_eq(p.n_batches, q.n_batches);
	cr_expect_arr_eq(p.order, q.order, 200 * sizeof(*p.order));
	plan_release(&p);
	plan_release(&q);
	free(v);
}

Test(plan, a_hundred_thousand_items_quickly)
{
	enum { N = 100000 };
	int64_t *sizes = calloc(N, sizeof(*sizes)), before;
	struct plan_item *v;
	struct plan p;
	int64_t ms;

	for (size_t i = 0; i < N; i++)
		sizes[i] = (int64_t)(i * 7919 % 20000);
	v = items_of(sizes, N);
	before = clock_mono_ns();
	plan_make(&(struct plan_limits){ 0 }, v, N, &p);
	ms = (clock_mono_ns() - before) / 1000000;
	cr_expect(ms < 2000, "took %ld ms: not linear in practice", (long)ms);
	check(&(struct plan_limits){ 0 }, v, N, &p);
	plan_release(&p);
	free(v);
	free(sizes);
}
