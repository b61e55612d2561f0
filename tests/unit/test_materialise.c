/* test_materialise: digests become files: confined, complete or not at all, each blob fetched once.
 */
#include <criterion/criterion.h>
#include <dirent.h>

#include "limit.h"
#include "materialise.h"
#include "memory_store.h"
#include "walk.h"
#include "wire_tree.h"

static struct scratch dir;
static struct memory_store store;
static struct arena arena;
static struct rx_err err;
static struct digest_list missing;
static struct materialise_stats stats;
static struct materialise_options options;
static struct materialise *m;

static void setup(void)
{
	scratch_init(&dir);
	memory_store_init(&store);
	options = (struct materialise_options){ .target_dir = dir.path,
						.codec = &wire_directory_codec,
						.function = DIGEST_SHA256 };
	umask(022);
}

static void teardown(void)
{
	materialise_free(m);
	scratch_release(&dir);
	memory_store_release(&store);
	arena_release(&arena);
	rx_err_release(&err);
	digest_list_release(&missing);
}

TestSuite(materialise, .init = setup, .fini = teardown);

static void start(void)
{
	materialise_free(m);
	m = materialise_new(&options);
	rx_err_reset(&err);
	missing.n = 0;
}

static struct digest blob(const char *text)
{
	struct digest d;

	digest_of(DIGEST_SHA256, text, strlen(text), &d);
	cr_assert(memory_keep(&store, &d, rx_view_str(text)));
	return d;
}

static void file(const char *path, const char *text, bool executable)
{
	struct digest d = blob(text);

	cr_assert(materialise_file(m, path, &d, executable, RX_VIEW(""), &err), "%s",
		  rx_err_text(&err));
}

static void run(void)
{
	cr_assert(materialise_run(m, &store.source, &missing, &stats, &err), "%s",
		  rx_err_text(&err));
}

static void run_fails(enum rx_code code, const char *part)
{
	cr_assert(!materialise_run(m, &store.source, &missing, &stats, &err));
	cr_assert_eq(err.code, code, "code %d: %s", err.code, rx_err_text(&err));
	cr_assert(strstr(rx_err_text(&err), part), "'%s' not in: %s", part, rx_err_text(&err));
}

/* Entries of a directory, temporary files included. */
static size_t entries(const char *path)
{
	DIR *d = fdopendir(openat(dir.fd, path, O_RDONLY | O_DIRECTORY));
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static struct digest put_dir(struct directory *d)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = 1 << 20 };
	struct digest out;

	directory_sort(d);
	wire_directory_pack(d, &bytes);
	digest_of_view(DIGEST_SHA256, rx_view_of(&bytes), &out);
	cr_assert(memory_keep(&store, &out, rx_view_of(&bytes)));
	return out;
}

static bool tree(const char *path, struct digest root)
{
	return materialise_tree(m, path, &root, &store.source, &missing, &err);
}

static const enum memory_delivery ways[] = { MEMORY_BYTES, MEMORY_FILES, MEMORY_STREAMS };

Test(materialise, files_links_and_directories)
{
	for (size_t i = 0; i < RX_COUNT(ways); i++) {
		char path[64];

		store.delivery = ways[i];
		options.overwrite = i > 0;
		start();
		file("a/b/file", "content", false);
		file("a/tool", "run", true);
		file("zero", "", false);
		snprintf(path, sizeof(path), "out%zu", i);
		cr_assert(materialise_directory(m, path, &err));
		cr_assert(materialise_symlink(m, "link", "a/b/file", &err));
		run();
		cr_assert(scratch_is(&dir, "a/b/file", "content"));
		cr_assert(scratch_is(&dir, "link", "content"));
		cr_assert(scratch_is(&dir, "zero", ""));
		cr_assert_eq(scratch_mode(&dir, "a/b/file"), 0644);
		cr_assert_eq(scratch_mode(&dir, "a/tool"), 0755);
		cr_assert(scratch_has(&dir, path));
		cr_assert_eq(stats.files, 3);
		cr_assert_eq(stats.directories, 1);
		cr_assert_eq(stats.symlinks, 1);
		cr_assert_eq(stats.bytes, 7 + 3);
		cr_assert_eq(entries("a"), 2);
	}
}

Test(materialise, default_modes_follow_the_umask_and_given_ones_do_not)
{
	umask(077);
	start();
	file("d/plain", "1", false);
	run();
	cr_assert_eq(scratch_mode(&dir, "d/plain"), 0600);
	cr_assert_eq(scratch_mode(&dir, "d"), 0700);
	options.file_mode = 0444;
	options.exec_mode = 0555;
	options.dir_mode = 0555;
	options.fresh = true;
	start();
	file("e/plain", "1", false);
	file("e/tool", "1", true);
	run();
	cr_assert_eq(scratch_mode(&dir, "e/plain"), 0444);
	cr_assert_eq(scratch_mode(&dir, "e/tool"), 0555);
	cr_assert_eq(scratch_mode(&dir, "e"), 0555);
}

Test(materialise, rule_144_paths_that_leave_the_target_are_refused)
{
	static const char *const bad[] = { "/etc/x", "..", "../x", "a/../../x", "a/..",
					   "a//b",   "a/", "./a",  "",          "a/./b" };
	struct digest d = blob("x");

	start();
	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		cr_assert(!materialise_file(m, bad[i], &d, false, RX_VIEW(""), &err), "%s", bad[i]);
		cr_assert_eq(err.code, RX_EPARSE);
		rx_err_reset(&err);
		cr_assert(!materialise_symlink(m, bad[i], "x", &err), "%s", bad[i]);
		rx_err_reset(&err);
		if (!*bad[i])
			continue;
		cr_assert(!materialise_directory(m, bad[i], &err), "%s", bad[i]);
		rx_err_reset(&err);
		cr_assert(!tree(bad[i], d), "%s", bad[i]);
		rx_err_reset(&err);
	}
}

Test(materialise, paths_over_the_limit_are_refused)
{
	struct digest d = blob("x");
	char *path = xmalloc(LIMIT_PATH_BYTES + 2);

	memset(path, 'a', LIMIT_PATH_BYTES + 1);
	for (size_t i = 200; i < LIMIT_PATH_BYTES; i += 200)
		path[i] = '/';
	path[LIMIT_PATH_BYTES + 1] = 0;
	start();
	cr_assert(!materialise_file(m, path, &d, false, RX_VIEW(""), &err));
	cr_assert_eq(err.code, RX_ELIMIT);
	rx_err_reset(&err);
	path[LIMIT_PATH_BYTES] = 0;
	cr_assert(materialise_file(m, path, &d, false, RX_VIEW(""), &err), "%s", rx_err_text(&err));
	free(path);
	run();
}

Test(materialise, rule_144_links_made_now_are_not_written_through)
{
	start();
	file("real/keep", "1", false);
	cr_assert(materialise_symlink(m, "alias", "/tmp", &err));
	cr_assert(!materialise_directory(m, "alias/sub", &err));
	cr_assert_eq(err.code, RX_EPARSE);
	rx_err_reset(&err);
	/* The other way round: a directory first. */
	cr_assert(!materialise_symlink(m, "real", "/tmp", &err));
	cr_assert_eq(err.code, RX_EPARSE);
}

Test(materialise, links_that_are_there_are_not_written_through)
{
	struct scratch other;

	scratch_init(&other);
	symlinkat(other.path, dir.fd, "out");
	options.overwrite = true;
	start();
	file("out/x", "1", false);
	run_fails(RX_EEXIST, "out' is there already and is a symbolic link");
	cr_assert(!scratch_has(&other, "x"));
	/* Not even links that stay inside. */
	scratch_mkdirs(&dir, "inside");
	symlinkat("inside", dir.fd, "lib");
	start();
	file("lib/x", "1", false);
	run_fails(RX_EEXIST, "lib");
	cr_assert(!scratch_has(&dir, "inside/x"));
	scratch_release(&other);
}

/* Swaps a directory for a link while blobs come in: a hostile neighbour. */
static struct blob_source swapping;
static char *outside;
static bool swap_and_fetch(struct blob_source *self, const struct digest *want, size_t n,
			   struct blob_receiver *to, struct digest_list *absent, struct rx_err *e)
{
	(void)self;
	renameat(dir.fd, "p", dir.fd, "moved");
	symlinkat(outside, dir.fd, "p");
	return store.source.fetch(&store.source, want, n, to, absent, e);
}

Test(materialise, parents_swapped_for_links_are_not_followed)
{
	struct scratch other;
	char path[32];

	scratch_init(&other);
	outside = other.path;
	swapping.fetch = swap_and_fetch;
	start();
	/* So many directories that the first is opened again. */
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "p/d%d/x", i);
		file(path, path, false);
	}
	(void)!materialise_run(m, &swapping, &missing, &stats, &err);
	cr_assert_eq(unlinkat(dir.fd, "p", 0), 0);
	snprintf(path, sizeof(path), "%s", "d0");
	cr_assert(!scratch_has(&other, path));
	scratch_release(&other);
}

Test(materialise, names_with_control_characters)
{
	start();
	file("new\nline/\x01", "1", false);
	run();
	cr_assert(scratch_is(&dir, "new\nline/\x01", "1"));
}

/* ---- what is there ---- */

Test(materialise, nothing_is_overwritten_without_being_asked)
{
	scratch_write(&dir, "x", "mine", 0600);
	start();
	file("new", "1", false);
	file("x", "theirs", false);
	run_fails(RX_EEXIST, "'x' is there already");
	cr_assert(scratch_is(&dir, "x", "mine"));
	cr_assert(!scratch_has(&dir, "new"), "refused before anything was made");
	cr_assert_eq(store.fetches, 0);
}

Test(materialise, overwrite_replaces_files_and_links_never_directories)
{
	scratch_write(&dir, "x", "mine", 0600);
	scratch_write(&dir, "elsewhere", "kept", 0600);
	symlinkat("elsewhere", dir.fd, "link");
	scratch_write(&dir, "becomes-link", "mine", 0600);
	options.overwrite = true;
	start();
	file("x", "theirs", true);
	file("link", "no link any more", false);
	cr_assert(materialise_symlink(m, "becomes-link", "x", &err));
	run();
	cr_assert(scratch_is(&dir, "x", "theirs"));
	cr_assert_eq(scratch_mode(&dir, "x"), 0755);
	cr_assert(scratch_is(&dir, "elsewhere", "kept"));
	cr_assert(scratch_is(&dir, "link", "no link any more"));
	cr_assert(scratch_is(&dir, "becomes-link", "theirs"));
	scratch_mkdirs(&dir, "d/sub");
	start();
	file("d", "file", false);
	run_fails(RX_EEXIST, "'d' is there already and is a directory");
	start();
	cr_assert(materialise_symlink(m, "d", "x", &err));
	run_fails(RX_EEXIST, "directory");
	cr_assert(scratch_has(&dir, "d/sub"));
	start();
	file("x/y", "below a file", false);
	run_fails(RX_EEXIST, "'x' is there already and is not a directory");
}

Test(materialise, identical_files_stay)
{
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct stat st;

	scratch_write(&dir, "same", "content", 0644);
	scratch_write(&dir, "mode", "content", 0755);
	symlinkat("same", dir.fd, "link");
	utimensat(dir.fd, "same", old, 0);
	options.keep_identical = true;
	start();
	file("same", "content", false);
	cr_assert(materialise_symlink(m, "link", "same", &err));
	run(); /* no overwriting needed */
	cr_assert_eq(stats.kept, 2);
	cr_assert_eq(store.fetched, 0);
	fstatat(dir.fd, "same", &st, 0);
	cr_assert_eq(st.st_mtim.tv_sec, 1000);
	options.overwrite = true;
	start();
	file("mode", "content", false);
	file("same", "another", false);
	run();
	cr_assert_eq(stats.kept, 0);
	cr_assert_eq(scratch_mode(&dir, "mode"), 0644);
	cr_assert(scratch_is(&dir, "same", "another"));
}

/* ---- blobs ---- */

Test(materialise, one_digest_at_many_paths_is_fetched_once_and_never_linked)
{
	struct stat a, b;

	for (size_t i = 0; i < RX_COUNT(ways); i++) {
		store.delivery = ways[i];
		store.fetched = 0;
		options.overwrite = i > 0;
		start();
		file("one", "same", false);
		file("two", "same", true);
		file("deep/three", "same", false);
		run();
		cr_assert_eq(store.fetched, 1);
		cr_assert_eq(stats.fetched_bytes, 4);
		cr_assert_eq(stats.bytes, 12);
		cr_assert_eq(stats.files, 3);
		cr_assert(scratch_is(&dir, "one", "same") && scratch_is(&dir, "two", "same") &&
			  scratch_is(&dir, "deep/three", "same"));
		fstatat(dir.fd, "one", &a, 0);
		fstatat(dir.fd, "two", &b, 0);
		cr_assert_neq(a.st_ino, b.st_ino);
		cr_assert_eq(a.st_nlink, 1);
		cr_assert_eq(b.st_mode & 0777, 0755);
	}
}

Test(materialise, missing_blobs_are_listed_and_the_rest_appears)
{
	struct digest lost = blob("lost");

	for (size_t i = 0; i < RX_COUNT(ways); i++) {
		store.delivery = ways[i];
		options.overwrite = true;
		start();
		file("there", "here", false);
		file("gone", "lost", false);
		file("d/gone-too", "lost", false);
		memory_lose(&store, &lost);
		run();
		cr_assert_eq(missing.n, 1);
		cr_assert(digest_eq(&missing.v[0], &lost));
		cr_assert(scratch_is(&dir, "there", "here"));
		cr_assert(!scratch_has(&dir, "gone") && !scratch_has(&dir, "d/gone-too"));
		cr_assert_eq(entries("d"), 0);
		cr_assert_eq(entries("."), 2);
	}
}

Test(materialise, a_broken_fetch_leaves_nothing_half_written)
{
	for (int fresh = 0; fresh < 2; fresh++) {
		for (size_t i = 0; i < RX_COUNT(ways); i++) {
			char name[32];

			store.delivery = ways[i];
			store.break_after = 1;
			store.break_in_stream = store.delivery == MEMORY_STREAMS;
			options.fresh = fresh;
			start();
			snprintf(name, sizeof(name), "d%d%zu", fresh, i);
			for (int j = 0; j < 3; j++) {
				char path[64], text[32];
				snprintf(path, sizeof(path), "%s/f%d", name, j);
				snprintf(text, sizeof(text), "content %d", j);
				file(path, text, false);
			}
			run_fails(RX_EIO, "broke");
			materialise_free(m);
			m = NULL;
			cr_assert_eq(entries(name), 1, "%s: %zu", name, entries(name));
		}
	}
}

Test(materialise, whole_is_all_or_nothing)
{
	options.whole = true;
	options.overwrite = true;
	cr_assert_eq(mkdirat(dir.fd, "old", 0777), 0);
	for (size_t i = 0; i < 2 * RX_COUNT(ways); i++) {
		struct digest lost = blob("lost");
		bool broken = i % 2;

		store.delivery = ways[i / 2];
		store.break_after = broken ? 2 : 0;
		store.break_in_stream = broken && store.delivery == MEMORY_STREAMS;
		start();
		file("a", "first", false);
		file("inlined", "", false);
		file("old/b", "second", false);
		file("new/deep/c", "third", false);
		file("new/d", "lost", false);
		cr_assert(materialise_symlink(m, "link", "a", &err));
		memory_lose(&store, &lost);
		if (broken) {
			run_fails(RX_EIO, "broke");
		} else {
			run();
			cr_assert_eq(missing.n, 1);
		}
		materialise_free(m);
		m = NULL;
		cr_assert_eq(entries("."), 1, "%zu: %zu", i, entries("."));
		cr_assert_eq(entries("old"), 0);
	}
	store.break_after = 0;
	store.break_in_stream = false;
	start();
	file("old/b", "second", false);
	file("new/deep/c", "third", false);
	cr_assert(materialise_symlink(m, "link", "a", &err));
	run();
	materialise_free(m);
	m = NULL;
	cr_assert(scratch_is(&dir, "old/b", "second") && scratch_is(&dir, "new/deep/c", "third"));
	cr_assert(scratch_has(&dir, "link"));
	cr_assert_eq(entries("."), 3);
	cr_assert_eq(entries("old"), 1);
}

/* A source that opens and never closes. */
static bool fetch_and_forget(struct blob_source *self, const struct digest *want, size_t n,
			     struct blob_receiver *to, struct digest_list *absent, struct rx_err *e)
{
	(void)self, (void)n, (void)absent;
	return to->open(to, want, e) >= 0 && rx_fail(e, RX_ERPC, "gone");
}

Test(materialise, temporary_files_of_streams_that_never_ended_are_removed)
{
	struct blob_source source = { fetch_and_forget };

	start();
	file("f", "content", false);
	cr_assert(!materialise_run(m, &source, &missing, &stats, &err));
	materialise_free(m);
	m = NULL;
	cr_assert_eq(entries("."), 0);
}

static bool fetch_nothing(struct blob_source *self, const struct digest *want, size_t n,
			  struct blob_receiver *to, struct digest_list *absent, struct rx_err *e)
{
	(void)self, (void)want, (void)n, (void)to, (void)absent, (void)e;
	return true;
}

Test(materialise, blobs_neither_sent_nor_missing_are_an_error)
{
	struct blob_source source = { fetch_nothing };

	start();
	file("f", "content", false);
	cr_assert(!materialise_run(m, &source, &missing, &stats, &err));
	cr_assert_eq(err.code, RX_EIO);
}

/* A source that streams fewer bytes than the digest says and calls it done. */
static bool fetch_short(struct blob_source *self, const struct digest *want, size_t n,
			struct blob_receiver *to, struct digest_list *absent, struct rx_err *e)
{
	int fd = to->open(to, want, e);

	(void)self, (void)n, (void)absent;
	return fd >= 0 && file_write_fd(fd, "x", 1, e) && to->close(to, want, fd, true, e);
}

Test(materialise, blobs_of_the_wrong_size_are_refused)
{
	struct blob_source source = { fetch_short };

	start();
	file("f", "content", false);
	cr_assert(!materialise_run(m, &source, &missing, &stats, &err));
	cr_assert_eq(err.code, RX_EDIGEST);
	cr_assert_eq(entries("."), 0);
}

Test(materialise, rule_142_inlined_contents_are_checked)
{
	struct digest d;

	digest_of(DIGEST_SHA256, "inlined", 7, &d); /* not in the store */
	start();
	cr_assert(materialise_file(m, "a", &d, false, RX_VIEW("inlined"), &err));
	run();
	cr_assert(scratch_is(&dir, "a", "inlined"));
	start();
	cr_assert(!materialise_file(m, "b", &d, false, RX_VIEW("another"), &err));
	cr_assert_eq(err.code, RX_EDIGEST);
}

Test(materialise, more_than_max_bytes_is_refused)
{
	struct digest huge = blob("x");

	options.max_bytes = 10;
	start();
	file("a", "123456", false);
	huge.size = INT64_MAX;
	cr_assert(!materialise_file(m, "b", &huge, false, RX_VIEW(""), &err));
	cr_assert_eq(err.code, RX_ELIMIT);
	options.max_bytes = 0;
	start();
	cr_assert(materialise_file(m, "b", &huge, false, RX_VIEW(""), &err));
	cr_assert(!materialise_file(m, "c", &huge, false, RX_VIEW(""), &err));
	cr_assert_eq(err.code, RX_ELIMIT);
}

Test(materialise, rule_137_one_path_twice_must_be_one_thing)
{
	struct digest other = blob("other");

	start();
	file("a", "same", false);
	file("a", "same", false);
	cr_assert(!materialise_file(m, "a", &other, false, RX_VIEW(""), &err));
	cr_assert_eq(err.code, RX_EPARSE);
	rx_err_reset(&err);
	cr_assert(materialise_symlink(m, "l", "t", &err));
	cr_assert(materialise_symlink(m, "l", "t", &err));
	cr_assert(!materialise_symlink(m, "l", "u", &err));
	rx_err_reset(&err);
	run();
	cr_assert_eq(stats.files, 1);
	cr_assert_eq(stats.symlinks, 1);
}

/* ---- trees ---- */

/* a: f (exec), link; b: again -> a, own */
static struct digest example(void)
{
	struct file_node f[] = { { .name = "f", .digest = blob("shared"), .is_executable = true } };
	struct symlink_node l[] = { { .name = "link", .target = "/abs/../anywhere" } };
	struct directory a = { .files = f, .n_files = 1, .links = l, .n_links = 1 };
	struct directory_node again[] = { { "again", put_dir(&a) } };
	struct file_node own[] = { { .name = "own", .digest = blob("own") } };
	struct directory b = { .files = own, .n_files = 1, .dirs = again, .n_dirs = 1 };
	struct directory empty = { 0 };
	struct directory_node top[] = { { "a", put_dir(&a) },
					{ "b", put_dir(&b) },
					{ "e", put_dir(&empty) } };
	struct directory root = { .dirs = top, .n_dirs = 3 };

	return put_dir(&root);
}

static struct walk_result walk(const char *path)
{
	struct walk_options o = { .root_dir = dir.path,
				  .function = DIGEST_SHA256,
				  .codec = &wire_directory_codec,
				  .keep_bytes = WALK_KEEP_BYTES,
				  .want_tree = true };
	struct walk_result r;
	enum node_kind kind;

	cr_assert(walk_path(&o, path, &store.sink, &arena, &kind, &r, &err), "%s",
		  rx_err_text(&err));
	return r;
}

static bool walks_to(const char *path, const struct digest *root)
{
	struct walk_result r = walk(path);

	return digest_eq(&r.root, root);
}

Test(materialise, a_tree_walks_to_its_own_digest)
{
	struct digest root = example();
	struct walk_result r;

	start();
	cr_assert(tree("x/y", root), "%s", rx_err_text(&err));
	run();
	cr_assert_eq(stats.files, 3);
	cr_assert_eq(stats.directories, 5);
	cr_assert_eq(stats.symlinks, 2);
	cr_assert_eq(scratch_mode(&dir, "x/y/b/again/f"), 0755);
	r = walk("x/y");
	cr_assert(digest_eq(&r.root, &root));
	/* The same from its records, in any order (REAPI rule 24). */
	for (int turn = 0; turn < 2; turn++) {
		char path[16];
		struct walk_result again;

		snprintf(path, sizeof(path), "z%d", turn);
		start();
		cr_assert(materialise_records(m, path, r.tree, r.n_tree, &err), "%s",
			  rx_err_text(&err));
		run();
		again = walk(path);
		cr_assert(digest_eq(&again.root, &root));
		for (size_t i = 1, j = r.n_tree - 1; i < j; i++, j--) {
			struct rx_view v = r.tree[i];
			r.tree[i] = r.tree[j];
			r.tree[j] = v;
		}
	}
}

/* Keeps bytes as somebody else wrote them: a field of a later version behind the known ones. */
static struct digest put_with_extra(struct directory *d)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = 1 << 20 };
	struct digest out;

	wire_directory_pack(d, &bytes);
	rx_buf_add(&bytes, "\x98\x06\x01", 3); /* 99: 1 */
	digest_of_view(DIGEST_SHA256, rx_view_of(&bytes), &out);
	cr_assert(memory_keep(&store, &out, rx_view_of(&bytes)));
	return out;
}

/* Packed again they would lose the field, and with it their digest. */
Test(materialise, rule_21_directories_are_hashed_as_they_came)
{
	struct file_node f[] = { { .name = "f", .digest = blob("content") } };
	struct directory low = { .files = f, .n_files = 1 };
	struct directory_node d[] = { { "d", put_with_extra(&low) } };
	struct directory top = { .dirs = d, .n_dirs = 1 };
	struct digest root = put_with_extra(&top);
	struct rx_view records[2];

	start();
	cr_assert(tree("a", root), "%s", rx_err_text(&err));
	run();
	cr_assert(scratch_is(&dir, "a/d/f", "content"));
	cr_assert(source_read_many(&store.source, (struct digest[]){ root, d[0].digest }, 2, 4096,
				   4096, &arena, records, &err));
	start();
	cr_assert(materialise_records(m, "b", records, 2, &err), "%s", rx_err_text(&err));
	run();
	cr_assert(scratch_is(&dir, "b/d/f", "content"));
}

Test(materialise, rule_11_names_that_differ_in_case_are_two)
{
	start();
	file("a", "small", false);
	file("A", "large", false);
	run();
	cr_assert(scratch_is(&dir, "a", "small") && scratch_is(&dir, "A", "large"));
}

Test(materialise, a_tree_at_the_target_itself)
{
	struct digest root = example();

	options.fresh = true;
	start();
	cr_assert(tree("", root));
	run();
	cr_assert(walks_to(".", &root));
}

Test(materialise, the_empty_tree)
{
	struct digest root;

	digest_empty(DIGEST_SHA256, &root);
	start();
	cr_assert(tree("e", root));
	run();
	cr_assert_eq(entries("e"), 0);
	start();
	cr_assert(!materialise_records(m, "f", NULL, 0, &err));
	cr_assert_eq(err.code, RX_EPARSE);
}

Test(materialise, rule_23_records_that_lack_a_directory_are_refused)
{
	struct digest root = example();
	struct walk_result r;

	start();
	cr_assert(tree("x", root));
	run();
	r = walk("x");
	start();
	cr_assert(!materialise_records(m, "y", r.tree, r.n_tree - 2, &err));
	cr_assert_eq(err.code, RX_EPARSE);
	run();
	cr_assert(!scratch_has(&dir, "y/a/f"));
}

Test(materialise, missing_directories_are_listed_and_do_not_appear)
{
	struct digest root = example(), lost;

	start();
	cr_assert(tree("x", root));
	run();
	lost = walk("x/a").root;
	memory_lose(&store, &lost);
	start();
	cr_assert(tree("y", root));
	run();
	cr_assert_eq(missing.n, 1);
	cr_assert(digest_eq(&missing.v[0], &lost));
	cr_assert(!scratch_has(&dir, "y/a") && !scratch_has(&dir, "y/b/again"));
	cr_assert(scratch_is(&dir, "y/b/own", "own"));
	memory_lose(&store, &root);
	start();
	cr_assert(tree("z", root));
	run();
	cr_assert_eq(missing.n, 1);
	cr_assert(!scratch_has(&dir, "z"));
}

Test(materialise, rule_9_names_that_occur_twice_are_refused)
{
	struct digest d = blob("x");
	struct file_node f[] = { { .name = "a", .digest = d } };
	struct symlink_node l[] = { { .name = "a", .target = "t" } };
	struct directory bad = { .files = f, .n_files = 1, .links = l, .n_links = 1 };

	start();
	cr_assert(!tree("x", put_dir(&bad)));
	cr_assert_eq(err.code, RX_EPARSE);
}

static void hostile(const char *name)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = 1 << 16 };
	struct file_node f[] = { { .name = name, .digest = blob("x") } };
	struct directory bad = { .files = f, .n_files = 1 };

	start();
	cr_assert(!tree("x", put_dir(&bad)), "%s", name);
	cr_assert_eq(err.code, RX_EPARSE);
}

Test(materialise, rule_10_names_in_trees_are_single_segments)
{
	hostile("..");
	hostile(".");
	hostile("../../etc/passwd");
	hostile("/etc/passwd");
	hostile("a/b");
	hostile("");
	cr_assert_eq(entries("."), 0);
}

Test(materialise, trees_over_the_depth_limit_are_refused)
{
	struct directory d = { 0 };
	struct digest at = put_dir(&d);

	for (int i = 0; i < LIMIT_TREE_DEPTH + 1; i++) {
		struct directory_node sub[] = { { "d", at } };
		struct directory up = { .dirs = sub, .n_dirs = 1 };
		at = put_dir(&up);
	}
	start();
	cr_assert(!tree("", at));
	cr_assert_eq(err.code, RX_ELIMIT);
}

Test(materialise, trees_as_deep_as_allowed_are_made)
{
	char name[101];
	struct file_node f[] = { { .name = "f", .digest = blob("x") } };
	struct directory d = { .files = f, .n_files = 1 };
	struct digest at = put_dir(&d);

	memset(name, 'n', 100);
	name[100] = 0; /* so that the paths are longer than PATH_MAX too */
	for (int i = 0; i < LIMIT_TREE_DEPTH - 1; i++) {
		struct directory_node sub[] = { { name, at } };
		struct directory up = { .dirs = sub, .n_dirs = 1 };
		at = put_dir(&up);
	}
	options.dir_mode = 0755;
	start();
	cr_assert(tree("t", at), "%s", rx_err_text(&err));
	run();
	cr_assert_eq(stats.files, 1);
	cr_assert(walks_to("t", &at));
}

Test(materialise, repeated_directories_are_read_once)
{
	struct directory d = { 0 };
	struct file_node f[] = { { .name = "f", .digest = blob("leaf") } };
	struct digest at;

	d.files = f;
	d.n_files = 1;
	at = put_dir(&d);
	/* 2^10 directories of 11 messages. */
	for (int i = 0; i < 10; i++) {
		struct directory_node two[] = { { "l", at }, { "r", at } };
		struct directory up = { .dirs = two, .n_dirs = 2 };
		at = put_dir(&up);
	}
	start();
	cr_assert(tree("", at));
	cr_assert_eq(store.fetched, 11);
	run();
	cr_assert_eq(store.fetched, 12);
	cr_assert_eq(stats.files, 1024);
	cr_assert(walks_to(".", &at));
}

Test(materialise, node_properties_give_modes_and_times)
{
	struct node_properties p = {
		.present = true, .has_mode = true, .mode = 06750, .has_mtime = true, .mtime_s = 5000
	};
	struct node_properties when = { .present = true, .has_mtime = true, .mtime_s = -7 };
	struct file_node f[] = { { .name = "f", .digest = blob("x"), .props = p } };
	struct symlink_node l[] = { { .name = "l", .target = "f", .props = when } };
	struct directory sub = {
		.files = f, .n_files = 1, .links = l, .n_links = 1, .props = when
	};
	struct directory_node d[] = { { "d", put_dir(&sub) } };
	struct directory root = { .dirs = d, .n_dirs = 1 };
	struct stat st;

	options.set_mtime = true;
	start();
	cr_assert(tree("", put_dir(&root)), "%s", rx_err_text(&err));
	run();
	fstatat(dir.fd, "d/f", &st, 0);
	cr_assert_eq(st.st_mode & 07777, 0750, "no set-id bits");
	cr_assert_eq(st.st_mtim.tv_sec, 5000);
	fstatat(dir.fd, "d/l", &st, AT_SYMLINK_NOFOLLOW);
	cr_assert_eq(st.st_mtim.tv_sec, -7);
	fstatat(dir.fd, "d", &st, 0);
	cr_assert_eq(st.st_mtim.tv_sec, -7);
}

Test(materialise, an_ordinary_user_can_fill_directories_that_end_up_read_only)
{
	become_nobody(&dir);
	options.dir_mode = 0555;
	options.file_mode = 0444;
	options.fresh = true;
	start();
	file("d/e/f", "same", false);
	file("d/g", "same", false);
	cr_assert(materialise_symlink(m, "d/e/l", "f", &err));
	run();
	cr_assert_eq(scratch_mode(&dir, "d/e"), 0555);
	cr_assert(scratch_is(&dir, "d/e/l", "same"));
	become_root_again();
}

Test(materialise, a_descriptor_as_target)
{
	options.target_dir = NULL;
	options.target_fd = dir.fd;
	start();
	file("f", "x", false);
	run();
	cr_assert(scratch_is(&dir, "f", "x"));
}

Test(materialise, a_target_that_is_not_there_is_named)
{
	options.target_dir = "/no/such/target";
	start();
	file("f", "x", false);
	run_fails(RX_ENOENT, "/no/such/target");
}

static bool want_objects(void *ctx, const char *path, bool *yes, struct rx_err *e RX_UNUSED)
{
	size_t *asked = ctx, n = strlen(path);

	++*asked;
	*yes = n > 2 && strcmp(path + n - 2, ".o") == 0;
	return true;
}

Test(materialise, only_what_is_wanted)
{
	size_t asked = 0;

	options.want = want_objects;
	options.want_ctx = &asked;
	start();
	file("out/a.o", "a", false);
	file("out/a.d", "b", false);
	file("logs/x.txt", "c", false);
	cr_assert(materialise_symlink(m, "out/link.o", "a.o", &err));
	cr_assert(materialise_directory(m, "empty", &err));
	run();
	cr_expect_eq(asked, 4);
	cr_expect_eq(stats.files, 1);
	cr_expect_eq(stats.symlinks, 1);
	cr_expect_eq(entries("."), 1);
	cr_expect_eq(entries("out"), 2);
}
