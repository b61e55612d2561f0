/* store_source: the store as a source and a sink of blobs. */
#include "store_parts.h"

#include <fcntl.h>
#include <unistd.h>

#include "map.h"

static bool deliver(struct store *s, const struct digest *d, struct blob_receiver *to,
		    struct digest_list *missing, struct rx_buf *bytes, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = -1;

	if (d->size <= STORE_BYTES_MAX) {
		rx_buf_reset(bytes);
		if (store_read(s, d, STORE_BYTES_MAX, bytes, err))
			return to->bytes(to, d, rx_view_of(bytes), err);
	} else {
		fd = store_open_verified(s, d, err);
		if (fd >= 0)
			return to->file(to, d, fd, err);
	}
	if (err->code != RX_ENOENT)
		return false;
	rx_err_release(err); /* an expected outcome leaves nothing behind */
	digest_list_add(missing, d);
	return true;
}

static bool fetch(struct blob_source *self, const struct digest *want, size_t n,
		  struct blob_receiver *to, struct digest_list *missing, struct rx_err *err)
{
	struct store *s = RX_CONTAINER(self, struct store, source);
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = STORE_BYTES_MAX };
	RX_CLEANUP(rx_map_release) struct rx_map seen = { 0 };
	uint8_t key[DIGEST_KEY_MAX];

	for (size_t i = 0; i < n; i++) {
		if (n > 1 && !rx_map_put(&seen, key, digest_key(&want[i], key), NULL))
			continue;
		if (!deliver(s, &want[i], to, missing, &bytes, err))
			return false;
	}
	return true;
}

static bool put(struct blob_sink *self, const struct blob *b, struct rx_err *err)
{
	struct store *s = RX_CONTAINER(self, struct store, sink);
	RX_CLEANUP(file_close) int fd = -1;

	if (!b->path)
		return store_put(s, &b->digest, b->bytes, err);
	fd = openat(b->dirfd, b->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return rx_fail_errno(err, "opening '%s'", b->name ? b->name : b->path);
	if (!store_put_file(s, &b->digest, fd, err))
		return rx_wrap(err, "'%s'", b->name ? b->name : b->path);
	return true;
}

void store_source_init(struct store *s)
{
	s->sink.put = put;
	s->source.fetch = fetch;
}

struct blob_sink *store_sink(struct store *s)
{
	return &s->sink;
}

struct blob_source *store_source(struct store *s)
{
	return &s->source;
}
