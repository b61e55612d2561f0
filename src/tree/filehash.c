/* filehash: one read for a small file, a bounded buffer for a large one. */
#include "filehash.h"

#include <errno.h>
#include <unistd.h>

#include "log.h"

#define PIECE      (256u << 10) /* of a large file */
#define SMALL      (64u << 10)  /* read in one call: what was read is what is hashed and sent */
#define BUFFER_MIN (16u << 10)

void filehash_init(struct filehash *f)
{
	*f = (struct filehash){ .hash = hash_new() };
}

void filehash_release(struct filehash *f)
{
	if (!f)
		return;
	hash_free(f->hash);
	free(f->buf);
	*f = (struct filehash){ 0 };
}

static void reserve(struct filehash *f, size_t n)
{
	if (n <= f->cap)
		return;
	free(f->buf);
	f->cap = RX_MAX(n, BUFFER_MIN);
	f->buf = xmalloc(f->cap);
}

static bool changed(struct rx_err *err, const char *name)
{
	return rx_fail(err, RX_EIO, "'%s' changed while it was read", name);
}

/* Reads up to n bytes, less when `enough` are there or the file ends; -1: errno says why. */
static ssize_t read_some(int fd, char *p, size_t n, size_t enough)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, p + got, n - got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		got += (size_t)r;
		if (r == 0 || got >= enough)
			break;
	}
	return (ssize_t)got;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool filehash_read(struct filehash *f, enum digest_function function, int fd, const struct stat *st,
		   int64_t keep, const char *name, struct filehash_result *out, struct rx_err *err)
{
	int64_t left = st->st_size;
	bool whole = left <= keep;
	struct filehash_result r = { .st = *st };
	struct stat after;

	hash_begin(f->hash, digest_hash_kind(function), st->st_size);
	/* One byte more than there should be: a file that grew shows, and the end needs no second
	 * call. */
	reserve(f, whole ? (size_t)left + 1 : PIECE);
	for (;;) {
		size_t want = whole ? (size_t)left + 1 : PIECE;
		ssize_t n = read_some(fd, f->buf, want, whole ? (size_t)left : PIECE);

		if (n < 0)
			return rx_fail_errno(err, "reading '%s'", name);
		if (n > left)
			return changed(err, name);
		hash_add(f->hash, f->buf, (size_t)n);
		left -= n;
		if (whole)
			r.bytes = (struct rx_view){ f->buf, (size_t)n };
		if ((size_t)n < want)
			break;
		if (rx_cancelled())
			return rx_fail(err, RX_ECANCEL, "reading '%s' was stopped", name);
	}
	if (left)
		return changed(err, name);
	if (st->st_size > SMALL) {
		if (fstat(fd, &after) != 0)
			return rx_fail_errno(err, "reading '%s'", name);
		if (!same(st, &after))
			return changed(err, name);
	}
	r.digest.function = (uint8_t)function;
	r.digest.size = st->st_size;
	r.digest.len = (uint8_t)hash_end(f->hash, r.digest.hash);
	*out = r;
	return true;
}
