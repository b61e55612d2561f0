/* test_store: the store's promises: verified, atomic, bounded, kept while promised. */
#include "store.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "utf8.h"

static char *dir;
static struct store *store;

static struct store *open_store(int64_t max_size, int64_t promise_ms)
{
	struct rx_err err = { 0 };
	struct store_options o = {
		.dir = dir, .max_size = max_size, .ac_space = "here", .promise_ms = promise_ms
	};
	struct store *s = store_new(&o, &err);

	cr_assert(s, "%s", rx_err_text(&err));
	store_settle(s);
	return s;
}

static void setup(void)
{
	struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "remex-store-", &dir, &err), "%s", rx_err_text(&err));
}

static void teardown(void)
{
	struct rx_err err = { 0 };

	store_free(store);
	cr_expect(file_remove_tree(AT_FDCWD, dir, &err), "%s", rx_err_text(&err));
	rx_err_release(&err);
	free(dir);
}
TestSuite(store, .init = setup, .fini = teardown);

/* A blob of n bytes that depends on seed. */
static struct rx_buf blob(unsigned seed, size_t n, struct digest *d)
{
	struct rx_buf b = { .max = RX_BUF_NO_MAX };
	char *p = rx_buf_reserve(&b, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(seed * 2654435761u + i * 40503u + (i >> 8));
	if (n >= sizeof(seed))
		memcpy(p, &seed, sizeof(seed));
	rx_buf_grew(&b, n);
	digest_of_view(DIGEST_SHA256, rx_view_of(&b), d);
	return b;
}

static struct digest put(unsigned seed, size_t n)
{
	struct rx_err err = { 0 };
	struct digest d;
	struct rx_buf b = blob(seed, n, &d);

	cr_assert(store_put(store, &d, rx_view_of(&b), &err), "%s", rx_err_text(&err));
	rx_buf_release(&b);
	return d;
}

static enum rx_code try_put(unsigned seed, size_t n)
{
	struct rx_err err = { 0 };
	struct digest d;
	struct rx_buf b = blob(seed, n, &d);
	enum rx_code code = store_put(store, &d, rx_view_of(&b), &err) ? RX_OK : err.code;

	rx_buf_release(&b);
	rx_err_release(&err);
	return code;
}

static char *place(const struct digest *d)
{
	char hex[129];

	digest_hex(d, hex);
	return xasprintf("%s/cas/%s/%.2s/%s-%" PRId64, dir,
			 digest_function_name((enum digest_function)d->function), hex, hex,
			 d->size);
}

/* Makes the file look unused for that long. */
static void age(const struct digest *d, int64_t seconds)
{
	char *path = place(d);
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
				 { .tv_sec = clock_wall_ns() / 1000000000 - seconds } };

	cr_assert(utimensat(AT_FDCWD, path, t, 0) == 0);
	free(path);
}

static size_t files_in_tmp(void)
{
	char *path = path_join(dir, "tmp");
	DIR *d = opendir(path);
	size_t n = 0;

	cr_assert(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	free(path);
	return n;
}

static void damage(const struct digest *d, bool cut)
{
	char *path = place(d);
	int fd;

	cr_assert(chmod(path, 0600) == 0);
	fd = open(path, O_WRONLY);
	cr_assert(fd >= 0);
	if (cut)
		cr_assert(ftruncate(fd, d->size / 2) == 0);
	else
		cr_assert(pwrite(fd, "\xff\xfe\xfd", 3, 1) == 3);
	close(fd);
	free(path);
}

static bool readable(const struct digest *d, enum rx_code *code)
{
	struct rx_err err = { 0 };
	struct rx_buf b = { .max = 64 << 20 };
	struct digest got;
	bool ok = store_read(store, d, 64 << 20, &b, &err);

	if (ok) {
		digest_of_view((enum digest_function)d->function, rx_view_of(&b), &got);
		cr_expect(digest_eq(&got, d));
	} else {
		cr_expect(b.n == 0, "output touched on failure");
	}
	*code = err.code;
	rx_buf_release(&b);
	rx_err_release(&err);
	return ok;
}

Test(store, gives_back_what_was_put)
{
	enum rx_code code;
	struct digest d;

	store = open_store(0, 0);
	d = put(1, 5000);
	cr_expect(store_has(store, &d));
	cr_expect(readable(&d, &code));
	store_free(store);
	store = open_store(0, 0);
	cr_expect(readable(&d, &code), "it survives a restart");
}

Test(store, keeps_every_function_apart)
{
	static const enum digest_function all[] = { DIGEST_SHA256, DIGEST_SHA1,   DIGEST_MD5,
						    DIGEST_SHA384, DIGEST_SHA512, DIGEST_SHA256TREE,
						    DIGEST_GITSHA1 };
	struct rx_err err = { 0 };
	enum rx_code code;

	store = open_store(0, 0);
	for (size_t i = 0; i < RX_COUNT(all); i++) {
		struct digest d;

		digest_of_view(all[i], RX_VIEW("some text"), &d);
		cr_expect(!store_has(store, &d));
		cr_expect(store_put(store, &d, RX_VIEW("some text"), &err), "%s",
			  rx_err_text(&err));
		cr_expect(readable(&d, &code));
	}
}

Test(store, rule_32_empty_blob_is_always_there)
{
	enum rx_code code;
	struct digest d;
	struct store_writer *w;
	struct rx_err err = { 0 };

	store = open_store(0, 0);
	digest_empty(DIGEST_SHA256, &d);
	cr_expect(store_has(store, &d));
	cr_expect(readable(&d, &code));
	cr_expect(store_put(store, &d, (struct rx_view){ 0 }, &err));
	w = store_writer_new(store, &d, &err);
	cr_assert(w);
	cr_expect(store_writer_end(w, &err));
	store_writer_free(w);
	cr_expect(files_in_tmp() == 0);
}

Test(store, rule_93_wrong_content_never_becomes_visible)
{
	struct rx_err err = { 0 };
	struct digest d, size;
	struct rx_buf b;

	store = open_store(0, 0);
	b = blob(2, 100, &d);
	cr_expect(!store_put(store, &d, RX_VIEW("something else"), &err));
	cr_expect(err.code == RX_EDIGEST);
	rx_err_reset(&err);
	size = d; /* REAPI rule 7: the right hash with a wrong size */
	size.size = 99;
	cr_expect(!store_put(store, &size, rx_view_of(&b), &err));
	cr_expect(err.code == RX_EDIGEST);
	cr_expect(!store_has(store, &d) && !store_has(store, &size));
	cr_expect(files_in_tmp() == 0);
	rx_err_release(&err);
	rx_buf_release(&b);
}

Test(store, writer_verifies_at_the_end)
{
	struct rx_err err = { 0 };
	struct digest d, other;
	struct rx_buf b = blob(3, 3000000, &d), c = blob(4, 3000000, &other);
	struct store_writer *w;
	enum rx_code code;

	store = open_store(0, 0);
	w = store_writer_new(store, &d, &err);
	for (size_t at = 0; at < b.n; at += 1000000)
		cr_assert(store_writer_add(w, (struct rx_view){ b.p + at, 1000000 }, &err));
	cr_expect(store_writer_size(w) == 3000000);
	cr_expect(!store_has(store, &d), "nothing is visible before the end");
	cr_assert(store_writer_end(w, &err), "%s", rx_err_text(&err));
	store_writer_free(w);
	cr_expect(readable(&d, &code));

	w = store_writer_new(store, &other, &err);
	cr_assert(store_writer_add(w, rx_view_of(&b), &err));
	cr_expect(!store_writer_end(w, &err));
	cr_expect(err.code == RX_EDIGEST);
	rx_err_reset(&err);
	store_writer_free(w);

	w = store_writer_new(store, &other, &err);
	cr_assert(store_writer_add(w, rx_view_of(&c), &err));
	cr_expect(!store_writer_add(w, RX_VIEW("x"), &err), "one byte too many");
	cr_expect(err.code == RX_EDIGEST);
	store_writer_free(w);

	cr_expect(!store_has(store, &other));
	cr_expect(files_in_tmp() == 0);
	rx_err_release(&err);
	rx_buf_release(&b);
	rx_buf_release(&c);
}

Test(store, takes_files_small_and_large)
{
	struct rx_err err = { 0 };
	enum rx_code code;

	store = open_store(0, 0);
	for (unsigned i = 0; i < 2; i++) {
		struct digest d;
		struct rx_buf b = blob(5 + i, i ? 5 << 20 : 1000, &d);
		char *path = path_join(dir, "input");
		struct blob in = { .digest = d, .path = path, .dirfd = AT_FDCWD };

		cr_assert(file_write(AT_FDCWD, path, rx_view_of(&b), 0644, &err));
		cr_expect(store_sink(store)->put(store_sink(store), &in, &err), "%s",
			  rx_err_text(&err));
		cr_expect(readable(&d, &code));
		in.digest.hash[0] ^= 1;
		cr_expect(!store_sink(store)->put(store_sink(store), &in, &err));
		cr_expect(err.code == RX_EDIGEST);
		rx_err_release(&err);
		cr_expect(files_in_tmp() == 0);
		free(path);
		rx_buf_release(&b);
	}
}

Test(store, corrupt_file_is_dropped_and_absent)
{
	enum rx_code code;
	struct digest d;

	store = open_store(0, 0);
	d = put(7, 5000);
	damage(&d, false);
	cr_expect(!readable(&d, &code));
	cr_expect(code == RX_ENOENT);
	cr_expect(!store_has(store, &d));
	put(7, 5000);
	cr_expect(readable(&d, &code));
}

Test(store, torn_file_is_absent_and_replaced)
{
	struct store_stats before, after;
	enum rx_code code;
	struct digest d;

	store = open_store(0, 0);
	d = put(8, 50000);
	store_stats(store, &before);
	damage(&d, true);
	cr_expect(!store_has(store, &d));
	cr_expect(!readable(&d, &code));
	put(8, 50000);
	cr_expect(readable(&d, &code));
	store_stats(store, &after);
	cr_expect(before.bytes == after.bytes && before.blobs == after.blobs);
}

struct sum {
	struct blob_receiver r;
	size_t bytes, files;
};
static bool got_bytes(struct blob_receiver *r, const struct digest *d, struct rx_view v,
		      struct rx_err *err)
{
	(void)err;
	cr_expect((int64_t)v.n == d->size);
	RX_CONTAINER(r, struct sum, r)->bytes++;
	return true;
}
static bool got_file(struct blob_receiver *r, const struct digest *d, int fd, struct rx_err *err)
{
	struct stat st;

	(void)err;
	cr_expect(fstat(fd, &st) == 0 && st.st_size == d->size);
	RX_CONTAINER(r, struct sum, r)->files++;
	return true;
}

Test(store, source_delivers_verified_once)
{
	struct sum sum = { .r = { .bytes = got_bytes, .file = got_file } };
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };
	struct digest want[5];

	store = open_store(0, 0);
	want[0] = put(9, 100);
	want[1] = put(10, 2 << 20);
	want[2] = want[0];
	digest_of_view(DIGEST_SHA256, RX_VIEW("not there"), &want[3]);
	digest_empty(DIGEST_SHA256, &want[4]);
	cr_assert(store_source(store)->fetch(store_source(store), want, 5, &sum.r, &missing, &err));
	cr_expect(sum.bytes == 2 && sum.files == 1);
	cr_expect(missing.n == 1 && digest_eq(&missing.v[0], &want[3]));
	digest_list_release(&missing);
	/* A large file that was verified before is looked at again once it has changed. */
	damage(&want[1], false);
	cr_assert(store_source(store)->fetch(store_source(store), want, 5, &sum.r, &missing, &err));
	cr_expect(sum.files == 1);
	cr_expect(missing.n == 2);
	digest_list_release(&missing);
}

Test(store, counts_blocks_also_after_a_restart)
{
	struct store_stats now, later;

	store = open_store(0, 0);
	put(11, 1);
	put(12, 4096);
	put(13, 4097);
	put(13, 4097);
	store_stats(store, &now);
	cr_expect(now.blobs == 3 && now.bytes == 4 * STORE_BLOCK, "%zu, %" PRId64, now.blobs,
		  now.bytes);
	store_free(store);
	store = open_store(0, 0);
	store_stats(store, &later);
	cr_expect(later.blobs == 3 && later.bytes == now.bytes);
	cr_expect(later.max_size > 0 && later.max_size <= STORE_MAX_SIZE);
}

Test(store, evicts_what_was_used_longest_ago)
{
	struct digest d[20];
	struct store_stats stats;
	enum rx_code code;

	store = open_store(1 << 20, 0);
	for (unsigned i = 0; i < 15; i++)
		d[i] = put(20 + i, 65536);
	store_free(store); /* promises of this process are gone, the clock of use is not */
	for (unsigned i = 0; i < 15; i++)
		age(&d[i], i == 3 ? 700 : 10000 - 100 * i);
	store = open_store(1 << 20, 0);
	d[15] = put(35, 131072);
	d[16] = put(36, 65536);
	store_settle(store);
	store_stats(store, &stats);
	cr_expect(stats.bytes <= 1 << 20, "%" PRId64, stats.bytes);
	cr_expect(!readable(&d[0], &code), "the oldest went");
	cr_expect(code == RX_ENOENT);
	cr_expect(readable(&d[3], &code), "what was used lately stays");
	cr_expect(readable(&d[14], &code));
	cr_expect(readable(&d[15], &code) && readable(&d[16], &code));
}

Test(store, rule_58_what_was_reported_present_stays)
{
	struct digest d[16];
	enum rx_code code;

	store = open_store(1 << 20, 0);
	for (unsigned i = 0; i < 16; i++)
		d[i] = put(40 + i, 65536);
	cr_expect(try_put(60, 65536) == RX_EIO, "all 16 were put just now");
	cr_expect(files_in_tmp() == 0);
	store_free(store);
	for (unsigned i = 0; i < 16; i++)
		age(&d[i], 10000);
	store = open_store(1 << 20, 0);
	for (unsigned i = 0; i < 15; i++)
		cr_expect(store_has(store, &d[i]));
	cr_expect(try_put(61, 65536) == RX_OK, "d[15] makes room");
	for (unsigned i = 0; i < 15; i++)
		cr_expect(readable(&d[i], &code), "blob %u", i);
	cr_expect(!readable(&d[15], &code));
}

Test(store, promises_end)
{
	struct digest d;

	store = open_store(1 << 20, 50);
	d = put(70, 900000);
	clock_sleep_ms(250);
	cr_expect(try_put(71, 900000) == RX_OK);
	cr_expect(!store_has(store, &d));
}

Test(store, one_blob_over_the_limit_is_refused)
{
	store = open_store(1 << 20, 0);
	cr_expect(try_put(80, 2 << 20) == RX_EIO);
	cr_expect(try_put(81, 1000) == RX_OK);
}

Test(store, room_of_a_dropped_upload_is_given_back)
{
	struct rx_err err = { 0 };
	struct digest d;
	struct rx_buf b = blob(82, 900000, &d);

	store = open_store(1 << 20, 0);
	for (unsigned i = 0; i < 5; i++) {
		struct store_writer *w = store_writer_new(store, &d, &err);

		cr_assert(w && store_writer_add(w, rx_view_of(&b), &err), "%s", rx_err_text(&err));
		store_writer_free(w);
	}
	cr_expect(files_in_tmp() == 0);
	rx_buf_release(&b);
}

Test(store, cleans_only_its_own_tmp_at_the_start)
{
	struct rx_err err = { 0 };
	char *left, *other = path_join(dir, "tmp/of the user"),
		    *sub = path_join(dir, "tmp/remex-dir");

	store = open_store(0, 0);
	store_free(store);
	left = xasprintf("%s/tmp/remex-1-0", dir);
	cr_assert_eq(mkdir(sub, 0700), 0);
	cr_assert(file_write(AT_FDCWD, left, RX_VIEW("half"), 0644, &err));
	cr_assert(file_write(AT_FDCWD, other, RX_VIEW("mine"), 0644, &err));
	store = open_store(0, 0);
	cr_expect(access(left, F_OK) != 0);
	cr_expect(access(other, F_OK) == 0);
	cr_expect(access(sub, F_OK) == 0);
	free(left);
	free(other);
	free(sub);
}

Test(store, a_directory_has_one_store)
{
	struct store_options o = { .dir = dir };
	struct rx_err err = { 0 };
	char *want = xasprintf("(process %d)", getpid());
	struct digest d;
	struct rx_buf b = blob(83, 5000, &d);
	struct store_writer *w;

	store = open_store(0, 0);
	w = store_writer_new(store, &d, &err);
	cr_assert(store_writer_add(w, rx_view_of(&b), &err));
	cr_assert_null(store_new(&o, &err));
	cr_expect_eq(err.code, RX_EEXIST);
	cr_expect(strstr(rx_err_text(&err), want), "%s", rx_err_text(&err));
	rx_err_release(&err);
	cr_expect(store_writer_end(w, &err), "%s", rx_err_text(&err));
	store_writer_free(w);
	store_free(store);
	store = open_store(0, 0);
	cr_expect(store_has(store, &d));
	rx_buf_release(&b);
	free(want);
}

Test(store, full_disk_leaves_nothing_half_written)
{
	struct rx_err err = { 0 };
	struct digest d;
	struct rx_buf b = blob(90, 4 << 20, &d);
	struct store_writer *w;

	if (geteuid() != 0 || mount("none", dir, "tmpfs", 0, "size=2m") != 0) {
		rx_buf_release(&b);
		cr_skip("a small file system takes root");
	}
	store = open_store(100 << 20, 0);
	cr_expect(!store_put(store, &d, rx_view_of(&b), &err));
	cr_expect(err.code == RX_EIO && err.sys_errno == ENOSPC, "%s", rx_err_text(&err));
	rx_err_reset(&err);
	w = store_writer_new(store, &d, &err);
	cr_assert(w);
	cr_expect(!store_writer_add(w, rx_view_of(&b), &err));
	cr_expect(err.sys_errno == ENOSPC);
	rx_err_reset(&err);
	store_writer_free(w);
	cr_expect(files_in_tmp() == 0);
	cr_expect(!store_has(store, &d));
	cr_expect(try_put(91, 100000) == RX_OK, "what fits still goes in");
	store_free(store);
	store = NULL;
	rx_err_release(&err);
	rx_buf_release(&b);
	cr_assert(umount(dir) == 0);
}

static bool result_is(const char *instance, const struct digest *d, const char *want)
{
	struct rx_err err = { 0 };
	struct rx_buf b = { 0 };
	bool hit, ok;

	cr_assert(store_ac_get(store, instance, d, &b, &hit, &err), "%s", rx_err_text(&err));
	ok = want ? hit && rx_view_eq_str(rx_view_of(&b), want) : !hit;
	rx_buf_release(&b);
	return ok;
}

Test(store, results_by_instance_and_space)
{
	struct store_options other = { .dir = dir, .ac_space = "another compiler" };
	struct rx_err err = { 0 };
	struct digest d;

	store = open_store(0, 0);
	digest_of_view(DIGEST_SHA256, RX_VIEW("action"), &d);
	cr_expect(result_is("", &d, NULL));
	cr_assert(store_ac_put(store, "", &d, RX_VIEW("one"), &err));
	cr_assert(store_ac_put(store, "../../x", &d, RX_VIEW("two"), &err));
	cr_expect(result_is("", &d, "one"));
	cr_expect(result_is("../../x", &d, "two"));
	cr_expect(result_is("y", &d, NULL));
	cr_assert(store_ac_put(store, "", &d, RX_VIEW("longer"), &err));
	cr_expect(result_is("", &d, "longer"));
	store_free(store);
	store = store_new(&other, &err);
	cr_assert(store);
	cr_expect(result_is("", &d, NULL), "another host's result is a miss");
	store_free(store);
	store = open_store(0, 0);
	cr_expect(result_is("", &d, "longer"));
}

/* Damages the only result there is; back is counted from the end of the file. */
static void damage_result(bool cut)
{
	char *command = xasprintf("f=$(find %s/ac -type f); chmod 600 $f; %s", dir,
				  cut ? "truncate -s 20 $f" : "printf X >> $f");

	cr_assert(system(command) == 0);
	free(command);
}

Test(store, torn_result_is_a_miss)
{
	struct rx_err err = { 0 };
	struct digest d;

	store = open_store(0, 0);
	digest_of_view(DIGEST_SHA256, RX_VIEW("action"), &d);
	for (int i = 0; i < 2; i++) {
		cr_assert(store_ac_put(store, "", &d, RX_VIEW("a result"), &err));
		damage_result(i);
		cr_expect(result_is("", &d, NULL));
	}
}
