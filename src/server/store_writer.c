/* store_writer: blobs that come in pieces or as files. */
#include "store_parts.h"

#include <errno.h>
#include <unistd.h>

struct store_writer {
	struct store *s;
	struct store_area *area;
	struct digest digest;
	struct hash *hash;
	int fd;
	char temp[32];
	int64_t n;        /* bytes so far */
	int64_t reserved; /* room taken for them */
};

struct store_writer *store_writer_new(struct store *s, const struct digest *d, struct rx_err *err)
{
	struct store_area *a = store_area_of(s, d, err);
	struct store_writer *w;
	char temp[32];
	int fd;

	if (!a)
		return NULL;
	fd = store_temp(s, temp, err);
	if (fd < 0)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->s = s;
	w->area = a;
	w->digest = *d;
	w->fd = fd;
	memcpy(w->temp, temp, sizeof(temp));
	w->hash = hash_new();
	hash_begin(w->hash, digest_hash_kind((enum digest_function)d->function), d->size);
	return w;
}

/* Room is taken as bytes come: a name that claims a terabyte takes none. */
bool store_writer_add(struct store_writer *w, struct rx_view bytes, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];
	int64_t cost;

	if ((int64_t)bytes.n > w->digest.size - w->n) {
		digest_format(&w->digest, text);
		return rx_fail(err, RX_EDIGEST, "more bytes than blob %s has", text);
	}
	cost = store_cost(w->n + (int64_t)bytes.n) - w->reserved;
	if (cost > 0) {
		if (!store_reserve(w->s, cost, err))
			return false;
		w->reserved += cost;
	}
	if (!file_write_fd(w->fd, bytes.p, bytes.n, err)) {
		if (err->sys_errno == ENOSPC)
			store_full_disk(w->s);
		return rx_wrap(err, "store '%s'", w->s->dir);
	}
	hash_add(w->hash, bytes.p, bytes.n);
	w->n += (int64_t)bytes.n;
	return true;
}

int64_t store_writer_size(const struct store_writer *w)
{
	return w->n;
}

bool store_writer_end(struct store_writer *w, struct rx_err *err)
{
	char name[STORE_NAME_MAX], want[DIGEST_TEXT_MAX], have[DIGEST_TEXT_MAX];
	struct digest got = { .function = w->digest.function, .size = w->n };

	got.len = (uint8_t)hash_end(w->hash, got.hash);
	if (!digest_eq(&got, &w->digest)) { /* REAPI rules 7, 92, 93 */
		digest_format(&w->digest, want);
		digest_format(&got, have);
		return rx_fail(err, RX_EDIGEST,
			       "the content is not that of its digest %s: it has %s", want, have);
	}
	if (digest_is_empty_blob(&w->digest))
		return true; /* never stored, always there */
	file_close(&w->fd);
	(void)store_promise(w->s, store_key(&w->digest));
	store_name(&w->digest, name);
	w->reserved = 0; /* store_commit gives it back */
	return store_commit(w->s, w->area, w->temp, name, w->digest.size, false, err);
}

void store_writer_free(struct store_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		close(w->fd);
		unlinkat(w->s->tmp_fd, w->temp, 0);
	}
	if (w->reserved)
		store_unreserve(w->s, w->reserved);
	hash_free(w->hash);
	free(w);
}

static bool put_small_file(struct store *s, const struct digest *d, int fd, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = STORE_BYTES_MAX + 1 };
	size_t want = (size_t)d->size + 1, got; /* one more, to notice a longer file */
	char *p = rx_buf_reserve(&bytes, want);

	if (!file_pread(fd, p, want, 0, &got, err))
		return false;
	return store_put(s, d, (struct rx_view){ p, got }, err);
}

/* What is hashed is the copy, so a file that changes meanwhile cannot get in under a wrong name. */
bool store_put_file(struct store *s, const struct digest *d, int fd, struct rx_err *err)
{
	struct store_area *a = store_area_of(s, d, err);
	char name[STORE_NAME_MAX], temp[32], text[DIGEST_TEXT_MAX];
	struct digest got;
	bool ok;
	int to;

	if (!a)
		return false;
	if (d->size < STORE_BYTES_MAX)
		return put_small_file(s, d, fd, err);
	if (store_has(s, d))
		return true;
	if (!store_reserve(s, store_cost(d->size), err))
		return false;
	to = store_temp(s, temp, err);
	if (to < 0) {
		store_unreserve(s, store_cost(d->size));
		return false;
	}
	ok = file_copy_fd(fd, to, d->size, NULL, err) &&
	     digest_of_fd((enum digest_function)d->function, to, d->size, &got, err);
	if (!ok && err->sys_errno == ENOSPC)
		store_full_disk(s);
	if (ok && !digest_eq(&got, d)) {
		digest_format(d, text);
		ok = rx_fail(err, RX_EDIGEST, "the file is not blob %s", text);
	}
	close(to);
	if (!ok) {
		unlinkat(s->tmp_fd, temp, 0);
		store_unreserve(s, store_cost(d->size));
		return rx_wrap(err, "store '%s'", s->dir);
	}
	store_name(d, name);
	return store_commit(s, a, temp, name, d->size, false, err);
}
