/* test_walk: input roots from disk: what is taken, refused, followed, excluded, and their digests.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "limit.h"
#include "memory_store.h"
#include "walk.h"
#include "wire_tree.h"

static struct scratch dir;
static struct memory_store store;
static struct arena arena;
static struct rx_err err;
static struct walk_result result;
static struct walk_options options;
static struct walk_input inputs[16];
static size_t n_inputs;

static void setup(void)
{
	scratch_init(&dir);
	memory_store_init(&store);
	options = (struct walk_options){ .root_dir = dir.path,
					 .function = DIGEST_SHA256,
					 .codec = &wire_directory_codec,
					 .keep_bytes = WALK_KEEP_BYTES };
}

static void teardown(void)
{
	scratch_release(&dir);
	memory_store_release(&store);
	arena_release(&arena);
	rx_err_release(&err);
}

TestSuite(walk, .init = setup, .fini = teardown);

static void add(const char *remote, const char *local)
{
	inputs[n_inputs++] = (struct walk_input){ .remote = remote, .local = local };
}

static void add_text(const char *remote, const char *text, bool executable)
{
	inputs[n_inputs++] = (struct walk_input){
		.remote = remote, .text = text, .text_len = strlen(text), .executable = executable
	};
}

static bool run(void)
{
	rx_err_reset(&err);
	return walk_run(&options, inputs, n_inputs, &store.sink, &arena, &result, &err);
}

static void expect_ok(void)
{
	cr_assert(run(), "%s", rx_err_text(&err));
}

static void expect_error(enum rx_code code, const char *part)
{
	cr_assert(!run());
	cr_assert_eq(err.code, code, "code %d: %s", err.code, rx_err_text(&err));
	cr_assert(strstr(rx_err_text(&err), part), "'%s' not in: %s", part, rx_err_text(&err));
}

static const struct action_input *input(const char *path)
{
	for (size_t i = 0; i < result.n_inputs; i++)
		if (strcmp(result.inputs[i].path, path) == 0)
			return &result.inputs[i];
	return NULL;
}

/* Reads a Directory back from the store. */
static struct directory *read_dir(const struct digest *d)
{
	struct directory *out = ARENA_NEW(&arena, struct directory);
	struct rx_view *bytes = memory_get(&store, d);

	cr_assert(bytes || d->size == 0, "a directory was not put");
	cr_assert(wire_directory_unpack(&arena, bytes ? *bytes : RX_VIEW(""), DIGEST_SHA256, out,
					&err),
		  "%s", rx_err_text(&err));
	cr_assert_eq(out->marks, 0);
	return out;
}

static struct directory *sub(struct directory *d, const char *name)
{
	for (size_t i = 0; i < d->n_dirs; i++)
		if (strcmp(d->dirs[i].name, name) == 0)
			return read_dir(&d->dirs[i].digest);
	return NULL;
}

Test(walk, files_directories_and_links_of_a_directory)
{
	struct directory *root;

	scratch_write(&dir, "src/a.c", "int a;", 0644);
	scratch_write(&dir, "src/tool", "#!/bin/sh", 0755);
	scratch_mkdirs(&dir, "src/empty");
	symlinkat("../../nowhere", dir.fd, "src/link");
	add("", "");
	expect_ok();
	cr_assert_eq(result.files, 2);
	cr_assert_eq(result.directories, 2);
	cr_assert_eq(result.symlinks, 1);
	cr_assert_eq(result.bytes, 6 + 9);
	root = read_dir(&result.root);
	cr_assert_eq(root->n_dirs, 1);
	root = sub(root, "src");
	cr_assert_eq(root->n_files, 2);
	cr_assert_str_eq(root->files[0].name, "a.c");
	cr_assert(!root->files[0].is_executable);
	cr_assert(root->files[1].is_executable);
	cr_assert_str_eq(root->links[0].target, "../../nowhere"); /* verbatim, dangling or not */
	cr_assert_eq(root->dirs[0].digest.size, 0);
	cr_assert(memory_get(&store, &root->files[0].digest));
}

Test(walk, inputs_are_sorted_by_the_bytes_of_their_paths)
{
	static const char *const paths[] = { "a-b/x", "a.c", "a/b/y", "a/x", "a0" };

	for (size_t i = 0; i < RX_COUNT(paths); i++)
		scratch_write(&dir, paths[RX_COUNT(paths) - 1 - i], "x", 0644);
	add("", ".");
	expect_ok();
	cr_assert_eq(result.n_inputs, RX_COUNT(paths));
	for (size_t i = 0; i < RX_COUNT(paths); i++)
		cr_assert_str_eq(result.inputs[i].path, paths[i]);
	cr_assert_eq(result.inputs[0].kind, NODE_FILE);
	cr_assert_eq(result.inputs[0].is_executable, TRI_NO);
}

/* REAPI rule 8: "a" sorts before "a-b" among directories, though paths sort the other way. */
Test(walk, rule_8_directories_are_canonical)
{
	struct directory *root;

	scratch_write(&dir, "a-b/x", "x", 0644);
	scratch_write(&dir, "a/x", "x", 0644);
	scratch_write(&dir, "Z", "x", 0644);
	scratch_write(&dir, "\xef\xbd\x9e", "x", 0644);
	scratch_write(&dir, "\xf0\x9f\x98\x80", "x", 0644);
	add("", ".");
	expect_ok();
	root = read_dir(&result.root);
	cr_assert_str_eq(root->dirs[0].name, "a");
	cr_assert_str_eq(root->files[1].name, "\xef\xbd\x9e");
}

Test(walk, the_same_content_gives_the_same_digest_whatever_the_way)
{
	struct digest whole;

	scratch_write(&dir, "p/a.h", "a", 0644);
	scratch_write(&dir, "p/q/b.h", "b", 0755);
	add("", "");
	expect_ok();
	whole = result.root;
	n_inputs = 0;
	add("p/q/b.h", "p/q/b.h");
	add_text("p/a.h", "a", false);
	expect_ok();
	cr_assert(digest_eq(&whole, &result.root));
	n_inputs = 0;
	add("p/q", "p/q");
	add("p", "p"); /* overlaps */
	add("p/a.h", "p/a.h");
	expect_ok();
	cr_assert(digest_eq(&whole, &result.root));
	cr_assert_eq(result.files, 2);
}

Test(walk, a_pool_changes_nothing)
{
	struct digest alone;
	char path[64], text[32];

	for (int i = 0; i < 700; i++) {
		snprintf(path, sizeof(path), "d%d/f%d", i % 7, i);
		snprintf(text, sizeof(text), "%d", i * i);
		scratch_write(&dir, path, text, i % 3 ? 0644 : 0755);
	}
	add("", "");
	expect_ok();
	alone = result.root;
	options.pool = pool_new(3, 8);
	expect_ok();
	pool_free(options.pool);
	cr_assert(digest_eq(&alone, &result.root));
	cr_assert_eq(result.files, 700);
}

Test(walk, virtual_files_and_directories)
{
	struct directory *root;

	add_text("gen/args.txt", "--flag", true);
	inputs[n_inputs++] = (struct walk_input){ .remote = "out/obj", .empty_dir = true };
	expect_ok();
	root = read_dir(&result.root);
	cr_assert_eq(sub(root, "gen")->n_files, 1);
	cr_assert(sub(root, "gen")->files[0].is_executable);
	cr_assert_not_null(sub(sub(root, "out"), "obj"));
	cr_assert(memory_get(&store, &sub(root, "gen")->files[0].digest));
}

Test(walk, local_and_remote_names_differ)
{
	scratch_write(&dir, "here/x", "content", 0644);
	add("there/y", "here/x");
	add("other", "here");
	expect_ok();
	cr_assert(input("there/y"));
	cr_assert(input("other/x"));
	cr_assert_eq(result.n_inputs, 2);
}

Test(walk, two_different_things_at_one_path_are_refused)
{
	scratch_write(&dir, "one", "1", 0644);
	scratch_write(&dir, "two", "2", 0644);
	add("x", "one");
	add("x", "two");
	expect_error(RX_EUSAGE, "one");
	cr_assert(strstr(rx_err_text(&err), "two"));
}

Test(walk, equal_things_at_one_path_are_fine)
{
	scratch_write(&dir, "one", "same", 0644);
	scratch_write(&dir, "two", "same", 0644);
	scratch_write(&dir, "exec", "same", 0755);
	add("x", "one");
	add("x", "two");
	add("x", "one");
	add_text("x", "same", false);
	expect_ok();
	cr_assert_eq(result.files, 1);
	add("x", "exec");
	expect_error(RX_EUSAGE, "exec");
}

Test(walk, a_file_and_a_directory_at_one_path_are_refused)
{
	scratch_write(&dir, "f", "1", 0644);
	scratch_write(&dir, "d/x", "2", 0644);
	add("x", "f");
	add("x", "d");
	expect_error(RX_EUSAGE, "two things");
	n_inputs = 0;
	add("x", "f");
	add_text("x/y", "", false);
	expect_error(RX_EUSAGE, "parent of other paths");
}

Test(walk, directories_at_one_path_are_merged)
{
	scratch_write(&dir, "gen/x/a", "1", 0644);
	scratch_write(&dir, "src/x/b", "2", 0644);
	scratch_write(&dir, "src/x/c", "3", 0644);
	add("all", "gen");
	add("all", "src");
	expect_ok();
	cr_assert_eq(result.n_inputs, 3);
	cr_assert(input("all/x/a") && input("all/x/b"));
	cr_assert(memory_get(&store, &input("all/x/c")->digest));
	scratch_write(&dir, "src/x/a", "other", 0644);
	expect_error(RX_EUSAGE, "src/x/a");
	cr_assert(strstr(rx_err_text(&err), "gen/x/a"));
}

Test(walk, what_is_not_there_is_named)
{
	add("x", "no/such/file");
	expect_error(RX_ENOENT, "no/such/file");
	n_inputs = 0;
	add("", "nodir");
	expect_error(RX_ENOENT, "nodir");
}

Test(walk, remote_paths_that_are_not_clean_are_refused)
{
	static const char *const bad[] = { "/abs", "a/../b", "..", "a//b", "a/", "./a" };

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		n_inputs = 0;
		add_text(bad[i], "", false);
		expect_error(RX_EUSAGE, bad[i]);
	}
}

/* ---- names ---- */

Test(walk, rule_10_names_that_are_not_utf8_are_named_escaped)
{
	scratch_write(&dir, "d/bad\xff\x01name", "x", 0644);
	add("", "");
	expect_error(RX_EUSAGE, "bad\\xff\\x01name");
}

Test(walk, odd_names_are_taken)
{
	scratch_write(&dir, "with\nnewline", "1", 0644);
	scratch_write(&dir, "\x01\x02", "2", 0644);
	scratch_write(&dir, "-rf *", "3", 0644);
	add("", "");
	expect_ok();
	cr_assert(input("with\nnewline") && input("\x01\x02") && input("-rf *"));
}

/* ---- excludes ---- */

Test(walk, excludes_are_searched_in_the_remote_path)
{
	struct pattern *p[2] = { pattern_new("^src/gen$", &err), pattern_new("\\.o$", &err) };

	scratch_write(&dir, "src/gen/x.c", "1", 0644);
	scratch_write(&dir, "src/genius/y.c", "1", 0644);
	scratch_write(&dir, "src/a.o", "1", 0644);
	mkfifoat(dir.fd, "src/gen/fifo", 0644); /* not entered, so not seen */
	options.excludes = (const struct pattern *const *)p;
	options.n_excludes = 2;
	add("", "");
	inputs[n_inputs++] = (struct walk_input){ .remote = "src/gen", .empty_dir = true };
	expect_ok();
	cr_assert_eq(result.n_inputs, 1);
	cr_assert(input("src/genius/y.c"));
	pattern_free(p[0]);
	pattern_free(p[1]);
}

/* ---- symlinks ---- */

Test(walk, preserve_keeps_an_input_that_is_a_link)
{
	scratch_write(&dir, "real/x", "1", 0644);
	symlinkat("real", dir.fd, "alias");
	symlinkat("missing", dir.fd, "dangling");
	add("alias", "alias");
	add("dangling", "dangling");
	expect_ok();
	cr_assert_eq(result.symlinks, 2);
	cr_assert_str_eq(input("alias")->target, "real");
	cr_assert_eq(input("alias")->kind, NODE_SYMLINK);
	/* A path through a link is looked up on disk, its remote name stays. */
	n_inputs = 0;
	add("alias/x", "alias/x");
	expect_ok();
	cr_assert_eq(input("alias/x")->kind, NODE_FILE);
}

Test(walk, resolve_follows_links)
{
	struct digest plain;

	scratch_write(&dir, "a/x", "1", 0755);
	scratch_write(&dir, "a/y/z", "2", 0644);
	add("", "a");
	expect_ok();
	plain = result.root;
	scratch_mkdirs(&dir, "b");
	symlinkat("../a/x", dir.fd, "b/x");
	symlinkat("../a/y", dir.fd, "b/y");
	symlinkat("b", dir.fd, "c");
	options.symlinks = WALK_RESOLVE;
	n_inputs = 0;
	add("", "c");
	expect_ok();
	cr_assert(digest_eq(&plain, &result.root));
}

Test(walk, resolve_refuses_cycles)
{
	scratch_mkdirs(&dir, "a/b");
	symlinkat("../..", dir.fd, "a/b/up");
	options.symlinks = WALK_RESOLVE;
	add("", "");
	expect_error(RX_EUSAGE, "a/b/up");
	unlinkat(dir.fd, "a/b/up", 0);
	symlinkat("self", dir.fd, "a/self");
	expect_error(RX_EUSAGE, "a/self");
}

Test(walk, resolve_refuses_dangling_links)
{
	scratch_mkdirs(&dir, "a");
	symlinkat("gone", dir.fd, "a/link");
	options.symlinks = WALK_RESOLVE;
	add("", "");
	expect_error(RX_ENOENT, "a/link");
	n_inputs = 0;
	add("x", "a/link");
	expect_error(RX_ENOENT, "a/link");
}

/* ---- what cannot be stored ---- */

Test(walk, special_files_are_named)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	mkfifoat(dir.fd, "fifo", 0644);
	add("", "");
	expect_error(RX_EUSAGE, "fifo' is a FIFO");
	unlinkat(dir.fd, "fifo", 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", dir.path);
	cr_assert_eq(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	expect_error(RX_EUSAGE, "sock' is a socket");
	close(s);
	n_inputs = 0;
	add("null", "/dev/null");
	expect_error(RX_EUSAGE, "/dev/null' is a device");
}

Test(walk, unreadable_files_and_directories_are_named)
{
	scratch_write(&dir, "d/secret", "x", 0000);
	become_nobody(&dir);
	add("", "");
	expect_error(RX_EIO, "d/secret");
	become_root_again();
	fchmodat(dir.fd, "d", 0, 0);
	become_nobody(NULL);
	expect_error(RX_EIO, "/d'");
	become_root_again();
}

static _Atomic bool stop;
static void *keep_changing(void *arg)
{
	int fd = openat(dir.fd, arg, O_WRONLY);

	for (int i = 0; !stop; i++) {
		struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { 1000 + i, i % 1000 } };
		if (pwrite(fd, "y", 1, i % 4096) != 1 || futimens(fd, t) != 0)
			break;
	}
	close(fd);
	return NULL;
}

Test(walk, a_file_that_changes_while_it_is_read_is_named)
{
	pthread_t thread;
	int fd = openat(dir.fd, "busy", O_CREAT | O_WRONLY, 0644);

	cr_assert_eq(ftruncate(fd, 64 << 20), 0);
	close(fd);
	pthread_create(&thread, NULL, keep_changing, (void *)(uintptr_t) "busy");
	add("", "");
	expect_error(RX_EIO, "busy' changed while it was read");
	stop = true;
	pthread_join(thread, NULL);
}

/* ---- sizes ---- */

Test(walk, large_files_are_put_as_paths_and_small_ones_as_bytes)
{
	char *big = xmalloc((2 << 20) + 1);

	memset(big, 'x', 2 << 20);
	big[2 << 20] = 0;
	scratch_write(&dir, "big", big, 0644);
	big[1 << 20] = 0;
	scratch_write(&dir, "just", big, 0644);
	scratch_write(&dir, "zero", "", 0644);
	free(big);
	add("", "");
	expect_ok();
	cr_assert_eq(store.path_puts, 1);
	cr_assert_eq(store.puts, 4); /* and the root */
	cr_assert_eq(input("big")->digest.size, 2 << 20);
	cr_assert(memory_get(&store, &input("big")->digest));
	cr_assert(memory_get(&store, &input("just")->digest));
}

Test(walk, every_supported_digest_function_gives_its_digests)
{
	static const enum digest_function functions[] = { DIGEST_SHA256, DIGEST_SHA1,
							  DIGEST_MD5,    DIGEST_SHA384,
							  DIGEST_SHA512, DIGEST_SHA256TREE,
							  DIGEST_GITSHA1 };
	struct digest d;

	scratch_write(&dir, "f", "content", 0644);
	add("", "");
	for (size_t i = 0; i < RX_COUNT(functions); i++) {
		options.function = functions[i];
		expect_ok();
		digest_of(functions[i], "content", 7, &d);
		cr_assert(digest_eq(&input("f")->digest, &d));
		cr_assert_eq(result.root.function, functions[i]);
	}
	options.function = DIGEST_BLAKE3;
	expect_error(RX_EUSAGE, "blake3");
}

Test(walk, trees_over_the_depth_limit_are_refused)
{
	int at = dup(dir.fd);

	for (int i = 0; i < LIMIT_TREE_DEPTH; i++) {
		int next;
		cr_assert_eq(mkdirat(at, "dd", 0755), 0);
		next = openat(at, "dd", O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	add("", "");
	expect_ok();
	cr_assert_eq(result.directories, LIMIT_TREE_DEPTH);
	cr_assert_eq(mkdirat(at, "more", 0755), 0);
	close(at);
	expect_error(RX_ELIMIT, "deeper");
}

/* Paths longer than PATH_MAX. */
Test(walk, deep_trees_with_long_names)
{
	char name[201];
	int at = dup(dir.fd);

	memset(name, 'n', 200);
	name[200] = 0;
	for (int i = 0; i < 50; i++) {
		int next;
		cr_assert_eq(mkdirat(at, name, 0755), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	close(openat(at, "file", O_CREAT | O_WRONLY, 0644));
	close(at);
	add("", "");
	expect_ok();
	cr_assert_eq(result.files, 1);
	cr_assert_eq(strlen(result.inputs[0].path), 50 * 201 + 4);
}

/* ---- trees ---- */

Test(walk, rule_25_want_tree_gives_the_vector)
{
	struct wire_tree t = { .has_root = true };
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = 1 << 20 };
	struct digest d;
	char hex[129];

	scratch_write(&dir, "a/s", "shared", 0644);
	scratch_write(&dir, "b/own", "o", 0644);
	scratch_write(&dir, "b/again/s", "shared", 0644);
	options.want_tree = true;
	add("", "");
	expect_ok();
	cr_assert_eq(result.n_tree, 3);
	t.root = result.tree[0];
	t.children = result.tree + 1;
	t.n_children = 2;
	wire_tree_pack(&t, &bytes);
	digest_of_view(DIGEST_SHA256, rx_view_of(&bytes), &d);
	digest_hex(&d, hex);
	cr_assert_str_eq(hex, "49c5c706b82c8d9e4aade51e1beb485b5b0245f8745c70540373d0553f86ece8");
	digest_of_view(DIGEST_SHA256, result.tree[0], &d);
	cr_assert(digest_eq(&d, &result.root));
}

/* ---- walk_path ---- */

Test(walk, path_of_a_file_or_a_directory)
{
	enum node_kind kind;
	struct digest d;

	scratch_write(&dir, "d/f", "content", 0755);
	symlinkat("d/f", dir.fd, "to-file");
	symlinkat("d", dir.fd, "to-dir");
	digest_of(DIGEST_SHA256, "content", 7, &d);
	cr_assert(walk_path(&options, "d/f", &store.sink, &arena, &kind, &result, &err));
	cr_assert_eq(kind, NODE_FILE);
	cr_assert(digest_eq(&result.root, &d));
	cr_assert_eq(result.files, 1);
	cr_assert(walk_path(&options, "to-file", &store.sink, &arena, &kind, &result, &err), "%s",
		  rx_err_text(&err));
	cr_assert(digest_eq(&result.root, &d));
	cr_assert(walk_path(&options, "to-dir", &store.sink, &arena, &kind, &result, &err));
	cr_assert_eq(kind, NODE_DIRECTORY);
	d = result.root;
	cr_assert(walk_path(&options, "d", &store.sink, &arena, &kind, &result, &err));
	cr_assert(digest_eq(&result.root, &d));
	cr_assert(!walk_path(&options, "none", &store.sink, &arena, &kind, &result, &err));
	cr_assert_eq(err.code, RX_ENOENT);
	rx_err_reset(&err);
	cr_assert(!walk_path(&options, "/dev/null", &store.sink, &arena, &kind, &result, &err));
	cr_assert_eq(err.code, RX_EUSAGE);
}

static bool refuse(struct blob_sink *self, const struct blob *b, struct rx_err *e)
{
	(void)self;
	return rx_fail(e, RX_ERPC, "no room for %s", b->name);
}

Test(walk, a_sink_that_fails_stops_the_walk)
{
	struct blob_sink sink = { refuse };
	char path[32];

	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "f%d", i);
		scratch_write(&dir, path, path, 0644);
	}
	options.pool = pool_new(2, 4);
	add("", "");
	cr_assert(!walk_run(&options, inputs, n_inputs, &sink, &arena, &result, &err));
	cr_assert_eq(err.code, RX_ERPC);
	pool_free(options.pool);
}

Test(walk, inputs_are_left_out_when_nobody_wants_them)
{
	scratch_write(&dir, "a/b", "x", 0644);
	options.no_inputs = true;
	add("", "");
	expect_ok();
	cr_assert_eq(result.files, 1);
	cr_assert_eq(result.n_inputs, 0);
}

Test(walk, without_a_sink_digests_are_the_same)
{
	struct digest put;

	scratch_write(&dir, "a/b", "x", 0644);
	add("", "");
	expect_ok();
	put = result.root;
	cr_assert(walk_run(&options, inputs, n_inputs, NULL, &arena, &result, &err));
	cr_assert(digest_eq(&put, &result.root));
}
