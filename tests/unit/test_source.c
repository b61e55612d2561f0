/* test_source: small blobs into memory, by every way of delivery, from a source that may lie. */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source.h"

enum way { BYTES, A_FILE, IN_PIECES, NOTHING, TOO_LONG, TOO_SHORT, ANOTHER, BREAKS };

/* Every blob of n bytes is n times 'x'. */
struct fake {
	struct blob_source source;
	enum way way;
	size_t calls;
};

static struct arena arena;
static struct rx_err err;

static void release(void)
{
	arena_release(&arena);
	rx_err_release(&err);
}

TestSuite(source, .fini = release);

static int file_of(size_t n)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	for (size_t i = 0; i < n; i++)
		cr_assert_eq(write(fd, "x", 1), 1);
	return fd;
}

static bool deliver(struct fake *f, const struct digest *d, struct blob_receiver *to)
{
	char content[100];
	struct digest other = *d;
	int fd;
	bool ok;

	memset(content, 'x', sizeof(content));
	switch (f->way) {
	case TOO_LONG:
		return to->bytes(to, d, (struct rx_view){ content, (size_t)d->size + 1 }, &err);
	case TOO_SHORT:
		fd = file_of((size_t)d->size - 1);
		ok = to->file(to, d, fd, &err);
		close(fd);
		return ok;
	case ANOTHER:
		other.hash[0] ^= 1;
		return to->bytes(to, &other, (struct rx_view){ content, (size_t)d->size }, &err);
	case A_FILE:
		fd = file_of((size_t)d->size);
		ok = to->file(to, d, fd, &err);
		close(fd);
		return ok;
	case IN_PIECES:
	case BREAKS:
		fd = to->open(to, d, &err);
		cr_assert_geq(fd, 0);
		for (int64_t i = 0; i < d->size; i++)
			cr_assert_eq(write(fd, "x", 1), 1);
		ok = to->close(to, d, fd, f->way == IN_PIECES, &err);
		return f->way == BREAKS ? rx_fail(&err, RX_ERPC, "broken") : ok;
	default:
		return to->bytes(to, d, (struct rx_view){ content, (size_t)d->size }, &err);
	}
}

static bool fetch(struct blob_source *self, const struct digest *want, size_t n,
		  struct blob_receiver *to, struct digest_list *missing, struct rx_err *e)
{
	struct fake *f = RX_CONTAINER(self, struct fake, source);

	cr_assert_eq(e, &err);
	f->calls++;
	for (size_t i = 0; i < n; i++) {
		bool before = false;

		for (size_t k = 0; k < i; k++)
			before = before || digest_eq(&want[k], &want[i]);
		if (before)
			continue;
		if (f->way == NOTHING)
			digest_list_add(missing, &want[i]);
		else if (!deliver(f, &want[i], to))
			return false;
	}
	return true;
}

static struct fake fake(enum way way)
{
	return (struct fake){ .source = { fetch }, .way = way };
}

static struct digest of(size_t n)
{
	char content[100];
	struct digest d;

	memset(content, 'x', sizeof(content));
	digest_of(DIGEST_SHA256, content, n, &d);
	return d;
}

Test(source, reads_one_blob_however_it_comes)
{
	for (enum way way = BYTES; way <= IN_PIECES; way++) {
		for (size_t n = 0; n < 10; n += 3) {
			RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
			struct fake f = fake(way);
			struct digest d = of(n);

			rx_buf_add_str(&out, "<");
			cr_assert(source_read(&f.source, &d, 100, &out, &err), "%s",
				  rx_err_text(&err));
			cr_expect_eq(out.n, n + 1);
			cr_expect_eq(strspn(rx_buf_str(&out) + 1, "x"), n);
		}
	}
}

Test(source, a_missing_blob_is_said_to_be_missing)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
	struct fake f = fake(NOTHING);
	struct digest d = of(5);

	cr_expect_not(source_read(&f.source, &d, 100, &out, &err));
	cr_expect_eq(err.code, RX_ENOENT);
	cr_expect_eq(out.n, 0);
}

Test(source, limits_are_checked_before_asking)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
	struct fake f = fake(BYTES);
	struct digest v[] = { of(5), of(6), of(5) };
	struct rx_view views[3];

	cr_expect_not(source_read(&f.source, &v[0], 4, &out, &err));
	cr_expect_eq(err.code, RX_ELIMIT);
	rx_err_reset(&err);
	cr_expect_not(source_read_many(&f.source, v, 3, 100, 10, &arena, views, &err));
	cr_expect_eq(err.code, RX_ELIMIT);
	rx_err_reset(&err);
	cr_expect_eq(f.calls, 0);
	/* duplicates count once */
	cr_expect(source_read_many(&f.source, v, 3, 100, 11, &arena, views, &err), "%s",
		  rx_err_text(&err));
	cr_expect(views[0].n == 5 && views[1].n == 6 && views[2].n == 5);
	cr_expect_eq(views[0].p, views[2].p);
}

Test(source, several_blobs_may_be_partly_missing)
{
	struct fake f = fake(NOTHING);
	struct digest v[] = { of(5), of(6) };
	struct rx_view views[2] = { { "?", 1 }, { "?", 1 } };

	cr_assert(source_read_many(&f.source, v, 2, 100, 100, &arena, views, &err));
	cr_expect(!views[0].p && !views[1].p);
	cr_assert(source_read_many(&f.source, v, 0, 100, 100, &arena, views, &err));
}

Test(source, a_present_empty_blob_is_not_missing)
{
	struct fake f = fake(BYTES);
	struct digest d = of(0);
	struct rx_view view;

	cr_assert(source_read_many(&f.source, &d, 1, 100, 100, &arena, &view, &err));
	cr_expect(view.p && view.n == 0);
}

Test(source, wrong_deliveries_fail)
{
	for (enum way way = TOO_LONG; way <= BREAKS; way++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
		struct fake f = fake(way);
		struct digest d = of(5);

		cr_expect_not(source_read(&f.source, &d, 100, &out, &err), "way %d", way);
		cr_expect_eq(err.code, way == BREAKS ? RX_ERPC : RX_EDIGEST);
		cr_expect_eq(out.n, 0);
		rx_err_reset(&err);
	}
}

Test(source, lists_grow)
{
	RX_CLEANUP(digest_list_release) struct digest_list l = { 0 };
	struct digest d = of(3);

	for (size_t i = 0; i < 100; i++)
		digest_list_add(&l, &d);
	cr_expect_eq(l.n, 100);
	cr_expect(digest_eq(&l.v[99], &d));
	digest_list_release(NULL);
}
