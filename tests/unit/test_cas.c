/* test_cas: uploads and downloads against servers that are honest, odd and wrong. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "file.h"
#include "lying_fixture.h"

static struct fixture f;

static void start(void)
{
	fixture_start(&f);
}

static void stop(void)
{
	fixture_stop(&f);
}

TestSuite(cas, .init = start, .fini = stop, .timeout = 60);

struct set {
	char *bytes[600];
	struct digest digest[600];
	size_t n;
};

static void set_make(struct set *s, size_t n, size_t size)
{
	s->n = n;
	for (size_t i = 0; i < n; i++)
		s->bytes[i] = fixture_bytes(size + i % 7, (unsigned)i, &s->digest[i]);
}

static void set_free(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->bytes[i]);
}

static void set_on_server(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		lying_put(f.server, &s->digest[i],
			  (struct rx_view){ s->bytes[i], (size_t)s->digest[i].size });
}

static bool put_bytes(struct cas_upload *u, const struct digest *d, const char *p,
		      struct rx_err *err)
{
	struct blob_sink *sink = cas_upload_sink(u);

	return sink->put(
		sink,
		&(struct blob){ .digest = *d, .bytes = { p, (size_t)d->size }, .name = "src/a.c" },
		err);
}

static bool upload(struct set *s, struct cas_upload_stats *stats, struct rx_err *err)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	bool ok = true;

	for (size_t i = 0; ok && i < s->n; i++)
		ok = put_bytes(u, &s->digest[i], s->bytes[i], err);
	ok = ok && cas_upload_finish(u, err);
	if (stats)
		cas_upload_stats(u, stats);
	cas_upload_free(u);
	return ok;
}

/* Uploads a set and expects all of it on the server. */
static void upload_all(size_t n, size_t size, struct cas_upload_stats *stats)
{
	struct set s;
	struct rx_err err = { 0 };

	set_make(&s, n, size);
	cr_assert(upload(&s, stats, &err), "%s", rx_err_text(&err));
	for (size_t i = 0; i < n; i++)
		cr_expect(lying_has(f.server, &s.digest[i]), "blob %zu", i);
	set_free(&s);
}

/* Keeps what it is given. */
struct keeper {
	struct blob_receiver base;
	pthread_mutex_t lock;
	const struct set *set;
	unsigned char got[600];
	unsigned opened, bad, empty;
};

static void keep(struct keeper *k, const struct digest *d, const char *p, size_t n)
{
	pthread_mutex_lock(&k->lock);
	if (!n)
		k->empty++;
	for (size_t i = 0; i < k->set->n; i++) {
		if (!digest_eq(&k->set->digest[i], d))
			continue;
		k->got[i]++;
		if (n != (size_t)d->size || memcmp(k->set->bytes[i], p, n) != 0)
			k->bad++;
	}
	pthread_mutex_unlock(&k->lock);
}

static bool keep_bytes(struct blob_receiver *self, const struct digest *d, struct rx_view v,
		       struct rx_err *err)
{
	(void)err;
	keep(RX_CONTAINER(self, struct keeper, base), d, v.p, v.n);
	return true;
}

static int keep_open(struct blob_receiver *self, const struct digest *d, struct rx_err *err)
{
	struct keeper *k = RX_CONTAINER(self, struct keeper, base);
	char name[] = "/tmp/rx-test-XXXXXX";
	int fd = mkstemp(name);

	(void)d, (void)err;
	unlink(name);
	pthread_mutex_lock(&k->lock);
	k->opened++;
	pthread_mutex_unlock(&k->lock);
	return fd;
}

static bool keep_close(struct blob_receiver *self, const struct digest *d, int fd, bool ok,
		       struct rx_err *err)
{
	struct rx_buf b = { .max = RX_BUF_NO_MAX };

	if (ok) {
		cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
		cr_assert(file_read_fd(fd, 1 << 30, &b, err));
		keep(RX_CONTAINER(self, struct keeper, base), d, b.p, b.n);
	}
	rx_buf_release(&b);
	close(fd);
	return true;
}

static bool fetch(const struct set *s, struct keeper *k, struct digest_list *missing,
		  struct rx_err *err)
{
	struct blob_source *source = cas_source(fixture_client(&f));

	*k = (struct keeper){
		.base = { .bytes = keep_bytes, .open = keep_open, .close = keep_close },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.set = s
	};
	return source->fetch(source, s->digest, s->n, &k->base, missing, err);
}

static void fetch_all(size_t n, size_t size)
{
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };
	struct keeper k;
	struct set s;

	set_make(&s, n, size);
	set_on_server(&s);
	cr_assert(fetch(&s, &k, &missing, &err), "%s", rx_err_text(&err));
	cr_expect_eq(missing.n, 0);
	cr_expect_eq(k.bad, 0);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(k.got[i], 1, "blob %zu came %u times", i, k.got[i]);
	digest_list_release(&missing);
	set_free(&s);
}

Test(cas, find_missing_keeps_order_and_drops_duplicates)
{
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };
	struct digest ask[7];
	struct set s;

	set_make(&s, 4, 50);
	lying_put(f.server, &s.digest[1], (struct rx_view){ s.bytes[1], (size_t)s.digest[1].size });
	ask[0] = s.digest[3];
	ask[1] = s.digest[1];
	ask[2] = s.digest[0];
	ask[3] = s.digest[3];
	digest_empty(DIGEST_SHA256, &ask[4]);
	ask[5] = s.digest[2];
	ask[6] = s.digest[0];
	cr_assert(cas_find_missing(fixture_client(&f), ask, 7, &missing, &err), "%s",
		  rx_err_text(&err));
	cr_assert_eq(missing.n, 3);
	cr_expect(digest_eq(&missing.v[0], &s.digest[3]));
	cr_expect(digest_eq(&missing.v[1], &s.digest[0]));
	cr_expect(digest_eq(&missing.v[2], &s.digest[2]));
	digest_list_release(&missing);
	set_free(&s);
}

Test(cas, rule_57_find_missing_in_any_order_and_twice)
{
	struct cas_upload_stats stats;

	lying_tell(f.server, "any-order", -1, 0);
	upload_all(50, 100, &stats);
	cr_expect_eq(stats.uploaded_blobs, 50);
}

Test(cas, rule_57_digests_nobody_asked_about_are_ignored)
{
	lying_tell(f.server, "foreign-digests", -1, 0);
	upload_all(5, 100, NULL);
	cr_expect_eq(lying_blobs(f.server), 5);
}

Test(cas, rule_59_windows_of_find_missing)
{
	enum { N = 25000 };
	struct digest *v = calloc(N, sizeof(*v));
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };

	for (uint32_t i = 0; i < N; i++)
		digest_of(DIGEST_SHA256, &i, sizeof(i), &v[i]);
	cr_assert(cas_find_missing(fixture_client(&f), v, N, &missing, &err), "%s",
		  rx_err_text(&err));
	cr_assert_eq(missing.n, N);
	for (size_t i = 0; i < N; i++)
		cr_assert(digest_eq(&missing.v[i], &v[i]));
	cr_expect_eq(lying_calls(f.server, "FindMissingBlobs"), 3);
	cr_expect(lying_largest(f.server, "FindMissingBlobs") < 4 << 20);
	digest_list_release(&missing);
	free(v);
}

Test(cas, upload_sends_only_what_is_missing_in_few_calls)
{
	struct cas_upload_stats stats;
	struct client_stats client;
	struct rx_err err = { 0 };
	struct set s;

	upload_all(300, 2000, &stats);
	cr_expect_eq(stats.blobs, 300);
	cr_expect_eq(stats.uploaded_blobs, 300);
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 1);
	cr_expect_eq(lying_calls(f.server, "Write"), 0);
	client_stats_get(fixture_client(&f), &client);
	cr_expect_eq(client.uploaded_blobs, 300);
	cr_expect_eq(client.uploaded_bytes, stats.uploaded_bytes);

	set_make(&s, 300, 2000);
	cr_assert(upload(&s, &stats, &err), "%s", rx_err_text(&err));
	cr_expect_eq(stats.blobs, 300);
	cr_expect_eq(stats.uploaded_blobs, 0);
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 1);
	set_free(&s);
}

Test(cas, some_missing_leave_the_slab_together)
{
	struct cas_upload_stats stats;
	struct rx_err err = { 0 };
	struct set s;

	set_make(&s, 200, 1000);
	for (size_t i = 0; i < s.n; i += 3)
		lying_put(f.server, &s.digest[i],
			  (struct rx_view){ s.bytes[i], (size_t)s.digest[i].size });
	cr_assert(upload(&s, &stats, &err), "%s", rx_err_text(&err));
	cr_expect_eq(stats.uploaded_blobs, 133);
	for (size_t i = 0; i < s.n; i++)
		cr_expect(lying_has(f.server, &s.digest[i]), "blob %zu", i);
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 1);
	set_free(&s);
}

Test(cas, duplicates_travel_once)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct cas_upload_stats stats;
	struct rx_err err = { 0 };
	struct digest d;
	char *p = fixture_bytes(100, 1, &d);

	for (int i = 0; i < 5; i++)
		cr_assert(put_bytes(u, &d, p, &err));
	cr_assert(cas_upload_finish(u, &err));
	cas_upload_stats(u, &stats);
	cr_expect_eq(stats.blobs, 1);
	cr_expect_eq(stats.uploaded_blobs, 1);
	cas_upload_free(u);
	free(p);
}

Test(cas, rule_33_the_empty_blob_never_travels)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct rx_err err = { 0 };
	struct keeper k;
	struct digest_list missing = { 0 };
	struct set s = { .n = 1, .bytes = { (char *)"" } };

	digest_empty(DIGEST_SHA256, &s.digest[0]);
	cr_assert(put_bytes(u, &s.digest[0], "", &err));
	cr_assert(cas_upload_finish(u, &err));
	cas_upload_free(u);
	cr_assert(fetch(&s, &k, &missing, &err));
	cr_expect_eq(k.empty, 1);
	cr_expect_eq(lying_calls(f.server, "FindMissingBlobs"), 0);
	cr_expect_eq(lying_calls(f.server, "BatchReadBlobs"), 0);
}

Test(cas, more_than_fits_into_memory_flows_through)
{
	/* 600 x 100 KiB: 60 MiB through 32 MiB of slabs, on a server that takes its time. */
	lying_tell(f.server, "slow", -1, 20);
	upload_all(600, 100 << 10, NULL);
	cr_expect(lying_largest(f.server, "BatchUpdateBlobs") <= (4 << 20) - (64 << 10),
		  "REAPI rule 46");
}

Test(cas, rule_44_no_stated_batch_limit)
{
	lying_tell(f.server, "zero-batch", -1, 0);
	upload_all(100, 100 << 10, NULL);
	cr_expect(lying_calls(f.server, "BatchUpdateBlobs") <= 8, "not one blob a call");
	cr_expect(lying_largest(f.server, "BatchUpdateBlobs") <= (4 << 20) - (64 << 10));
	cr_expect_eq(lying_calls(f.server, "Write"), 0);
}

Test(cas, quirk_31_tiny_batch_limit)
{
	lying_tell(f.server, "tiny-batch", -1, 0);
	upload_all(100, 5000, NULL);
	cr_expect(lying_largest(f.server, "BatchUpdateBlobs") <= 65536);
	cr_expect_eq(lying_calls(f.server, "Write"), 0);
	upload_all(3, 70000, NULL);
	cr_expect_eq(lying_calls(f.server, "Write"), 3, "REAPI rule 68");
	fetch_all(100, 5000);
	fetch_all(3, 70000);
}

Test(cas, every_size_around_the_limits_arrives)
{
	static const size_t sizes[] = { 1,       1 << 20, (2 << 20) - 5000,  (2 << 20) - 100,
					2 << 20, 3 << 20, (4 << 20) - 70000, 4 << 20,
					5 << 20 };

	for (size_t i = 0; i < RX_COUNT(sizes); i++) {
		upload_all(2, sizes[i], NULL);
		fetch_all(2, sizes[i]);
	}
}

Test(cas, rule_69_an_entry_that_does_not_fit_is_streamed)
{
	lying_tell(f.server, "tiny-batch", -1, 0);
	upload_all(1, 65530, NULL);
	cr_expect_eq(lying_calls(f.server, "Write"), 1);
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 0);
}

Test(cas, rule_60_quirk_39_halves_batches_that_are_refused)
{
	lying_tell(f.server, "batch-limit-lie", -1, 100000);
	upload_all(100, 10000, NULL);
	cr_expect_eq(lying_calls(f.server, "Write"), 0);
	fetch_all(100, 10000);
}

Test(cas, rule_60_halves_on_invalid_argument_too)
{
	lying_tell(f.server, "batch-limit-invalid", -1, 100000);
	upload_all(100, 10000, NULL);
	fetch_all(100, 10000);
}

Test(cas, a_blob_refused_alone_in_a_batch_is_streamed)
{
	lying_tell(f.server, "batch-limit-lie", -1, 5000);
	upload_all(3, 10000, NULL);
	cr_expect_eq(lying_calls(f.server, "Write"), 3);
	fetch_all(3, 10000);
}

Test(cas, a_server_without_batches_gets_streams)
{
	lying_tell(f.server, "no-batch", -1, 0);
	upload_all(10, 1000, NULL);
	cr_expect_eq(lying_calls(f.server, "Write"), 10);
	fetch_all(10, 1000);
}

Test(cas, a_server_without_find_missing_gets_everything)
{
	lying_tell(f.server, "no-find", -1, 0);
	upload_all(10, 1000, NULL);
}

Test(cas, rule_62_answers_in_any_order)
{
	lying_tell(f.server, "any-order", -1, 0);
	upload_all(100, 300, NULL);
	fetch_all(100, 300);
}

Test(cas, rule_62_an_entry_without_answer_is_sent_again)
{
	lying_tell(f.server, "missing-response", 2, 0);
	upload_all(20, 300, NULL);
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 3);
	lying_tell(f.server, "missing-response", 2, 0);
	fetch_all(20, 300);
}

Test(cas, rule_61_entries_that_failed_are_sent_again_alone)
{
	struct cas_upload_stats stats;

	lying_tell(f.server, "entry-unavailable", 7, 0);
	upload_all(50, 300, &stats);
	cr_expect_eq(stats.uploaded_blobs, 50);
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 2);
	cr_expect(lying_largest(f.server, "BatchUpdateBlobs") > 50 * 300);
	lying_tell(f.server, "entry-unavailable", 7, 0);
	fetch_all(50, 300);
}

Test(cas, rule_63_a_refused_entry_is_final_and_named)
{
	struct rx_err err = { 0 };
	struct set s;

	set_make(&s, 5, 300);
	lying_tell(f.server, "entry-invalid", 1, 0);
	cr_assert_not(upload(&s, NULL, &err));
	cr_expect_eq(err.code, RX_ERPC);
	cr_expect_eq(err.grpc_status, RPC_INVALID_ARGUMENT);
	cr_expect(strstr(rx_err_text(&err), "BatchUpdateBlobs: INVALID_ARGUMENT: I do not like it"),
		  "%s", rx_err_text(&err));
	cr_expect(strstr(rx_buf_str(&err.hint), "is src/a.c"), "%s", rx_buf_str(&err.hint));
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 1, "not tried again");
	rx_err_release(&err);
	set_free(&s);
}

Test(cas, bytes_that_are_not_the_digest_are_found_out)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct rx_err err = { 0 };
	struct digest d;
	char *p = fixture_bytes(100, 1, &d);

	p[0] ^= 1;
	cr_assert(put_bytes(u, &d, p, &err));
	cr_assert_not(cas_upload_finish(u, &err));
	cr_expect_eq(err.code, RX_EDIGEST);
	cr_expect_str_eq(rx_err_text(&err), "'src/a.c' changed while it was uploaded");
	rx_err_release(&err);
	cas_upload_free(u);
	free(p);
}

Test(cas, disk_full_is_reported_in_full)
{
	struct rx_err err = { 0 };
	struct set s;

	f.settings.retries = 1;
	set_make(&s, 2, 300);
	lying_tell(f.server, "disk-full", -1, 0);
	cr_assert_not(upload(&s, NULL, &err));
	cr_expect_eq(err.grpc_status, RPC_RESOURCE_EXHAUSTED);
	cr_expect(strstr(rx_err_text(&err), f.url));
	cr_expect(strstr(rx_err_text(&err),
			 " (instance 'main'): BatchUpdateBlobs: RESOURCE_EXHAUSTED: disk full "
			 "(after 2 tries in "),
		  "%s", rx_err_text(&err));
	rx_err_release(&err);
	set_free(&s);
}

Test(cas, rule_48_blobs_above_the_servers_limit_are_not_sent)
{
	struct rx_err err = { 0 };
	struct set s;

	lying_tell(f.server, "small-blobs", -1, 1000);
	set_make(&s, 1, 2000);
	cr_assert_not(upload(&s, NULL, &err));
	cr_expect_eq(err.code, RX_ELIMIT);
	cr_expect(strstr(rx_err_text(&err), "src/a.c is 2000 bytes"), "%s", rx_err_text(&err));
	rx_err_release(&err);
	set_free(&s);
}

Test(cas, rule_118_force_sends_without_asking)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct rx_err err = { 0 };
	struct digest d;
	char *p = fixture_bytes(100, 1, &d);

	lying_put(f.server, &d, (struct rx_view){ p, 100 });
	cas_upload_set_force(u, true);
	cr_assert(put_bytes(u, &d, p, &err));
	cr_assert(cas_upload_finish(u, &err));
	cr_expect_eq(lying_calls(f.server, "FindMissingBlobs"), 0);
	cr_expect_eq(lying_calls(f.server, "BatchUpdateBlobs"), 1);
	cas_upload_free(u);
	free(p);
}

static void put_file(struct cas_upload *u, const char *dir, const char *name, const char *p,
		     size_t n, const struct digest *d)
{
	RX_CLEANUP(file_close) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct blob_sink *sink = cas_upload_sink(u);
	struct rx_err err = { 0 };

	cr_assert(file_write(dirfd, name, (struct rx_view){ p, n }, 0644, &err), "%s",
		  rx_err_text(&err));
	cr_assert(sink->put(sink,
			    &(struct blob){
				    .digest = *d, .path = name, .dirfd = dirfd, .name = name },
			    &err),
		  "%s", rx_err_text(&err));
}

Test(cas, files_small_and_large_are_read_from_their_directory)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct rx_err err = { 0 };
	struct digest small, large;
	char *dir, *p = fixture_bytes(100, 1, &small), *q = fixture_bytes(5 << 20, 2, &large);

	cr_assert(file_temp_dir("/tmp", "rx-cas-", &dir, &err));
	put_file(u, dir, "small", p, 100, &small);
	put_file(u, dir, "large", q, 5 << 20, &large);
	cr_assert(cas_upload_finish(u, &err), "%s", rx_err_text(&err));
	cr_expect(lying_has(f.server, &small));
	cr_expect(lying_has(f.server, &large));
	cr_expect_eq(lying_calls(f.server, "Write"), 1);
	cas_upload_free(u);
	cr_assert(file_remove_tree(AT_FDCWD, dir, &err));
	free(dir);
	free(p);
	free(q);
}

Test(cas, a_file_that_changed_is_named)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct rx_err err = { 0 };
	struct digest large;
	char *dir, *q = fixture_bytes(5 << 20, 2, &large);

	cr_assert(file_temp_dir("/tmp", "rx-cas-", &dir, &err));
	q[5] ^= 1;
	put_file(u, dir, "large.bin", q, 5 << 20, &large);
	cr_assert_not(cas_upload_finish(u, &err));
	cr_expect_eq(err.code, RX_EDIGEST);
	cr_expect_str_eq(rx_err_text(&err), "'large.bin' changed while it was uploaded");
	rx_err_release(&err);
	cas_upload_free(u);
	err = (struct rx_err){ 0 };
	cr_assert(file_remove_tree(AT_FDCWD, dir, &err));
	free(dir);
	free(q);
}

Test(cas, an_upload_that_is_given_up_leaves_nothing_behind)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct rx_err err = { 0 };
	struct set s;

	lying_tell(f.server, "slow", -1, 50);
	set_make(&s, 100, 100 << 10);
	for (size_t i = 0; i < s.n; i++)
		cr_assert(put_bytes(u, &s.digest[i], s.bytes[i], &err));
	cas_upload_free(u);
	set_free(&s);
}

struct put_task {
	struct cas_upload *upload;
	const struct set *set;
	size_t first;
};

static bool put_task(void *arg, struct rx_err *err)
{
	struct put_task *t = arg;

	for (size_t i = t->first; i < t->set->n; i += 8) {
		if (!put_bytes(t->upload, &t->set->digest[i], t->set->bytes[i], err))
			return false;
	}
	return true;
}

/* put blocks while memory is short: sending must not need the threads that are blocked. */
Test(cas, all_pool_threads_blocked_in_put_make_progress)
{
	struct client *c = fixture_client(&f);
	struct cas_upload *u = cas_upload_new(c);
	struct pool_group *g = pool_group_new(client_pool(c));
	struct put_task tasks[8];
	struct rx_err err = { 0 };
	struct set s;

	lying_tell(f.server, "slow", -1, 30);
	set_make(&s, 400, 100 << 10);
	for (size_t i = 0; i < 8; i++) {
		tasks[i] = (struct put_task){ u, &s, i };
		pool_group_run(g, put_task, &tasks[i]);
	}
	cr_assert(pool_group_wait(g, &err), "%s", rx_err_text(&err));
	cr_assert(cas_upload_finish(u, &err), "%s", rx_err_text(&err));
	cr_expect_eq(lying_blobs(f.server), 400);
	pool_group_free(g);
	cas_upload_free(u);
	set_free(&s);
}

Test(cas, put_fails_once_the_upload_has_failed)
{
	struct cas_upload *u = cas_upload_new(fixture_client(&f));
	struct rx_err err = { 0 };
	bool ok = true;
	struct set s;

	f.settings.retries = 0;
	lying_tell(f.server, "entry-invalid", -1, 0);
	set_make(&s, 400, 100 << 10);
	for (size_t i = 0; ok && i < s.n; i++)
		ok = put_bytes(u, &s.digest[i], s.bytes[i], &err);
	cr_assert_not(ok, "put goes on for ever");
	cr_expect_eq(err.grpc_status, RPC_INVALID_ARGUMENT, "and says why: %s", rx_err_text(&err));
	rx_err_release(&err);
	cas_upload_free(u);
	set_free(&s);
}

Test(cas, fetches_batches_and_streams)
{
	fetch_all(300, 2000);
	cr_expect_eq(lying_calls(f.server, "Read"), 0);
	fetch_all(2, 6 << 20);
	cr_expect_eq(lying_calls(f.server, "Read"), 2);
}

Test(cas, rule_66_missing_blobs_do_not_fail_the_others)
{
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };
	struct keeper k;
	struct set s;

	set_make(&s, 10, 2000);
	free(s.bytes[9]);
	s.bytes[9] = fixture_bytes(3 << 20, 99, &s.digest[9]);
	for (size_t i = 0; i < 9; i++) {
		if (i != 4)
			lying_put(f.server, &s.digest[i],
				  (struct rx_view){ s.bytes[i], (size_t)s.digest[i].size });
	}
	cr_assert(fetch(&s, &k, &missing, &err), "%s", rx_err_text(&err));
	cr_expect_eq(missing.n, 2);
	for (size_t i = 0; i < 10; i++)
		cr_expect_eq(k.got[i], i != 4 && i != 9, "blob %zu", i);
	digest_list_release(&missing);
	set_free(&s);
}

static void fetch_fails(size_t n, size_t size, enum rx_code code, const char *text)
{
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };
	struct keeper k;
	struct set s;

	set_make(&s, n, size);
	set_on_server(&s);
	cr_assert_not(fetch(&s, &k, &missing, &err));
	cr_expect_eq(err.code, code);
	cr_expect(strstr(rx_err_text(&err), text), "%s", rx_err_text(&err));
	cr_expect(strstr(rx_err_text(&err), f.url), "%s", rx_err_text(&err));
	cr_expect_eq(k.bad, 0, "nothing false was handed on");
	rx_err_release(&err);
	digest_list_release(&missing);
	set_free(&s);
}

Test(cas, rule_76_content_is_verified_and_asked_for_again)
{
	lying_tell(f.server, "wrong-digest", 2, 0);
	fetch_all(10, 500);
	lying_tell(f.server, "wrong-digest", 2, 0);
	fetch_all(1, 5 << 20);
}

Test(cas, rule_76_a_batch_that_stays_wrong_is_an_error)
{
	lying_tell(f.server, "wrong-digest", -1, 0);
	fetch_fails(3, 500, RX_EDIGEST, "BatchReadBlobs: what came is not blob ");
}

Test(cas, rule_76_a_stream_that_stays_wrong_is_an_error)
{
	lying_tell(f.server, "wrong-digest", -1, 0);
	fetch_fails(1, 5 << 20, RX_EDIGEST, "Read: what came is not blob ");
}

Test(cas, rule_65_unasked_compression_is_refused)
{
	lying_tell(f.server, "unasked-zstd", -1, 0);
	fetch_fails(1, 500, RX_EPARSE, "compressed, which was not asked for");
}

Test(cas, answers_that_are_not_protobuf_are_refused)
{
	struct rx_err err = { 0 };
	struct set s;

	set_make(&s, 1, 100);
	cr_assert(caps_get(fixture_client(&f), &err));
	lying_tell(f.server, "bad-protobuf", -1, 0);
	cr_assert_not(upload(&s, NULL, &err));
	cr_expect_eq(err.code, RX_EPARSE);
	cr_expect(strstr(rx_err_text(&err), "FindMissingBlobs"), "%s", rx_err_text(&err));
	rx_err_release(&err);
	err = (struct rx_err){ 0 };
	fetch_fails(1, 100, RX_EPARSE, "BatchReadBlobs");
	fetch_fails(1, 5 << 20, RX_EPARSE, "Read");
	set_free(&s);
}

/* The limit of what is received leaves room for statuses beside a full batch: such an answer is
 * read, not refused by gRPC. */
Test(cas, rule_67_answers_may_be_larger_than_a_batch)
{
	lying_tell(f.server, "huge@BatchReadBlobs", -1, 6 << 20);
	fetch_fails(1, 100, RX_EPARSE, "BatchReadBlobs");
	cr_expect_eq(lying_calls(f.server, "BatchReadBlobs"), 1);
}

Test(cas, rule_28_one_function_in_a_fetch)
{
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };
	struct keeper k;
	struct set s;

	set_make(&s, 2, 500);
	digest_of(DIGEST_SHA1, "x", 1, &s.digest[1]);
	cr_assert_not(fetch(&s, &k, &missing, &err));
	cr_expect_eq(err.code, RX_EUSAGE);
	rx_err_release(&err);
	set_free(&s);
}
