/* plan: packs blobs into batches, first fit by decreasing size, over a tree of free space. */
#include "plan.h"

#include "buf.h"

struct weighed {
	int64_t weight;
	size_t position;
};

static int larger_first(const void *x, const void *y)
{
	const struct weighed *a = x, *b = y;

	if (a->weight != b->weight)
		return a->weight < b->weight ? 1 : -1;
	return a->position > b->position ? 1 : -1;
}

/* Room left in each batch, as a tree of maxima: the first batch with enough room is found in log n.
 */
struct room {
	int64_t *max; /* 1-based heap; leaves from `leaves` on */
	size_t leaves;
};

static void room_set(struct room *r, size_t batch, int64_t left)
{
	size_t i = r->leaves + batch;

	r->max[i] = left;
	while (i /= 2)
		r->max[i] = RX_MAX(r->max[2 * i], r->max[2 * i + 1]);
}

static size_t room_first(const struct room *r, int64_t weight)
{
	size_t i = 1;

	while (i < r->leaves)
		i = r->max[2 * i] >= weight ? 2 * i : 2 * i + 1;
	return i - r->leaves;
}

static void room_init(struct room *r, size_t batches, int64_t capacity)
{
	r->leaves = 1;
	while (r->leaves < batches)
		r->leaves *= 2;
	r->max = xmalloc(2 * r->leaves * sizeof(*r->max));
	for (size_t i = 1; i < 2 * r->leaves; i++)
		r->max[i] = capacity;
}

void plan_make(const struct plan_limits *l, const struct plan_item *items, size_t n,
	       struct plan *out)
{
	int64_t capacity = l->message_bytes ? l->message_bytes : PLAN_MESSAGE_BYTES;
	size_t cap_items = l->items ? l->items : PLAN_ITEMS;
	struct weighed *sorted = xmalloc((n + 1) * sizeof(*sorted));
	size_t *batch_of = xmalloc((n + 1) * sizeof(*batch_of));
	size_t *streams = xmalloc((n + 1) * sizeof(*streams));
	size_t n_sorted = 0, n_streams = 0, n_batches = 0, bound;
	size_t *count, *start, *order;
	int64_t total = 0;
	struct room room;

	/* REAPI rule 45: some servers count the blobs, some the message, so the smaller limit
	 * holds for the larger number. */
	if (l->blob_bytes > 0 && l->blob_bytes < capacity)
		capacity = l->blob_bytes;
	capacity -= (int64_t)l->header_bytes;

	for (size_t i = 0; i < n; i++) {
		int64_t weight = RX_MAX((int64_t)items[i].entry_bytes, items[i].digest.size);

		if (weight > capacity) {
			streams[n_streams++] = i; /* REAPI rules 68, 69 */
			batch_of[i] = SIZE_MAX;
			continue;
		}
		total += weight;
		sorted[n_sorted++] = (struct weighed){ weight, i };
	}
	qsort(sorted, n_sorted, sizeof(*sorted), larger_first);

	/* Any two batches that are not closed by count hold more than one capacity together. */
	bound = n_sorted ? (size_t)(2 * (total / RX_MAX(capacity, 1))) + n_sorted / cap_items + 3
			 : 0;
	bound = RX_MIN(bound, n_sorted);
	room_init(&room, RX_MAX(bound, 1), capacity);
	count = xcalloc(room.leaves + 1, sizeof(*count));
	for (size_t i = 0; i < n_sorted; i++) {
		size_t b = room_first(&room, sorted[i].weight);
		int64_t left = room.max[room.leaves + b] - sorted[i].weight;

		batch_of[sorted[i].position] = b;
		count[b]++;
		n_batches = RX_MAX(n_batches, b + 1);
		room_set(&room, b, count[b] == cap_items ? -1 : left);
	}

	start = xmalloc((n_batches + 1) * sizeof(*start));
	order = xmalloc((n_sorted + 1) * sizeof(*order));
	start[0] = 0;
	for (size_t b = 0; b < n_batches; b++)
		start[b + 1] = start[b] + count[b];
	/* Within a batch in the caller's order: files are read in the order they were found. */
	for (size_t b = 0; b < n_batches; b++)
		count[b] = start[b];
	for (size_t i = 0; i < n; i++) {
		if (batch_of[i] != SIZE_MAX)
			order[count[batch_of[i]]++] = i;
	}
	free(room.max);
	free(count);
	free(batch_of);
	free(sorted);
	*out = (struct plan){ .order = order,
			      .batch_start = start,
			      .n_batches = n_batches,
			      .streams = streams,
			      .n_streams = n_streams };
}

void plan_release(struct plan *p)
{
	if (!p)
		return;
	free(p->order);
	free(p->batch_start);
	free(p->streams);
	*p = (struct plan){ 0 };
}
