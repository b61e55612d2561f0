/* store_ac: action results on disk, with a checksum so that a torn file is a miss. */
#include "store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "limit.h"
#include "utf8.h"

#define MAGIC       "remex-ac-1\n"
#define HEADER_SIZE (sizeof(MAGIC) - 1 + 32)

/* Results of one name space differ by instance, function and action: all three are hashed into the
 * name, so that no instance name ever becomes a path. */
static void entry_key(const char *instance, const struct digest *action, struct digest *key)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	char digest[DIGEST_TEXT_MAX];

	digest_format(action, digest);
	rx_buf_addf(&text, "%u %s %s", action->function, digest, instance);
	digest_of_view(DIGEST_SHA256, rx_view_of(&text), key);
	key->size = action->size;
}

bool store_ac_get(struct store *s, const char *instance, const struct digest *action,
		  struct rx_buf *out, bool *hit, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = -1;
	RX_CLEANUP(rx_buf_release)
	struct rx_buf file = { .max = LIMIT_RESULT_BYTES + HEADER_SIZE + 1 };
	char name[STORE_NAME_MAX];
	struct digest key, sum;
	struct stat st;

	entry_key(instance, action, &key);
	store_name(&key, name);
	fd = openat(s->ac->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		*hit = false;
		return true;
	}
	if (fd < 0 || fstat(fd, &st) != 0)
		return rx_fail_errno(err, "store '%s': opening result '%s'", s->dir, name);
	if (!file_read_fd(fd, LIMIT_RESULT_BYTES + HEADER_SIZE, &file, err))
		return rx_wrap(err, "store '%s': result '%s'", s->dir, name);
	if (file.n >= HEADER_SIZE)
		digest_of(DIGEST_SHA256, file.p + HEADER_SIZE, file.n - HEADER_SIZE, &sum);
	if (file.n < HEADER_SIZE || memcmp(file.p, MAGIC, sizeof(MAGIC) - 1) != 0 ||
	    memcmp(file.p + sizeof(MAGIC) - 1, sum.hash, 32) != 0) {
		store_unlink(s, s->ac, name, st.st_ino, st.st_size);
		*hit = false;
		return true;
	}
	store_touch(s, s->ac, name, &st, store_key(&key));
	rx_buf_add(out, file.p + HEADER_SIZE, file.n - HEADER_SIZE);
	if (out->full)
		return rx_fail(err, RX_ELIMIT, "result '%s' does not fit into its buffer", name);
	*hit = true;
	return true;
}

bool store_ac_put(struct store *s, const char *instance, const struct digest *action,
		  struct rx_view result, struct rx_err *err)
{
	RX_CLEANUP(file_close) int fd = -1;
	RX_CLEANUP(rx_buf_release)
	struct rx_buf file = { .max = LIMIT_RESULT_BYTES + HEADER_SIZE };
	char name[STORE_NAME_MAX], temp[32];
	struct digest key, sum;

	digest_of_view(DIGEST_SHA256, result, &sum);
	rx_buf_add(&file, MAGIC, sizeof(MAGIC) - 1);
	rx_buf_add(&file, sum.hash, 32);
	rx_buf_add(&file, result.p, result.n);
	if (file.full)
		return rx_fail(err, RX_ELIMIT, "an action result of %zu bytes, limit %u", result.n,
			       LIMIT_RESULT_BYTES);
	entry_key(instance, action, &key);
	store_name(&key, name);
	if (!store_reserve(s, store_cost((int64_t)file.n), err))
		return false;
	fd = store_temp(s, temp, err);
	if (fd < 0) {
		store_unreserve(s, store_cost((int64_t)file.n));
		return false;
	}
	if (!file_write_fd(fd, file.p, file.n, err)) {
		if (err->sys_errno == ENOSPC)
			store_full_disk(s);
		unlinkat(s->tmp_fd, temp, 0);
		store_unreserve(s, store_cost((int64_t)file.n));
		return rx_wrap(err, "store '%s'", s->dir);
	}
	return store_commit(s, s->ac, temp, name, (int64_t)file.n, true, err);
}
