/* test_collect: what an action wrote: kinds, Trees, links, what it may not leave behind. */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "collect.h"
#include "limit.h"
#include "materialise.h"
#include "memory_store.h"
#include "wire_tree.h"

static struct scratch dir;
static struct memory_store store;
static struct arena arena;
static struct rx_err err;
static struct result result;
static struct collect_options options;
static struct action action;
static const char *paths[16];

static void tree_pack(const struct rx_view *records, size_t n, struct rx_buf *out)
{
	struct wire_tree t = { .has_root = true, .root = records[0] };

	t.children = ARENA_ARRAY(&arena, struct rx_view, n);
	for (size_t i = 1; i < n; i++)
		t.children[t.n_children++] = records[i];
	wire_tree_pack(&t, out);
}

static void setup(void)
{
	scratch_init(&dir);
	memory_store_init(&store);
	options = (struct collect_options){ .root_fd = dir.fd,
					    .cwd = "",
					    .codec = &wire_directory_codec,
					    .tree_pack = tree_pack,
					    .function = DIGEST_SHA256 };
	action.output_paths = paths;
}

static void teardown(void)
{
	scratch_release(&dir);
	memory_store_release(&store);
	arena_release(&arena);
	rx_err_release(&err);
}

TestSuite(collect, .init = setup, .fini = teardown);

static void want(const char *path)
{
	paths[action.n_output_paths++] = path;
}

static bool run(void)
{
	rx_err_reset(&err);
	result = (struct result){ 0 };
	return collect_outputs(&options, &action, &store.sink, &arena, &result, &err);
}

static void expect_ok(void)
{
	cr_assert(run(), "%s", rx_err_text(&err));
}

static void expect_error(enum rx_code code, const char *part)
{
	cr_assert(!run(), "'%s' expected", part);
	cr_assert_eq(err.code, code, "code %d: %s", err.code, rx_err_text(&err));
	cr_assert(strstr(rx_err_text(&err), part), "'%s' not in: %s", part, rx_err_text(&err));
	cr_assert_eq(result.n_outputs, 0);
}

static const struct result_output *output(const char *path)
{
	const struct result_output *o = result_find(&result, path);

	cr_assert(o, "no output '%s'", path);
	return o;
}

static struct wire_tree tree_of(const struct result_output *o)
{
	struct rx_view *bytes = memory_get(&store, &o->tree_digest);
	struct wire_tree t;

	cr_assert(bytes);
	cr_assert(wire_tree_unpack(&arena, *bytes, &t, &err), "%s", rx_err_text(&err));
	return t;
}

Test(collect, files_directories_and_links)
{
	scratch_write(&dir, "out/file", "content", 0644);
	scratch_write(&dir, "out/tool", "run", 0755);
	scratch_write(&dir, "out/d/x", "x", 0644);
	symlinkat("../elsewhere", dir.fd, "out/link");
	want("out/tool");
	want("out/file");
	want("out/d");
	want("out/link");
	expect_ok();
	cr_assert_eq(result.n_outputs, 4);
	cr_assert_str_eq(result.outputs[0].path, "out/d"); /* sorted */
	cr_assert_eq(output("out/file")->kind, NODE_FILE);
	cr_assert(!output("out/file")->is_executable);
	cr_assert(output("out/tool")->is_executable);
	cr_assert(memory_get(&store, &output("out/file")->digest));
	cr_assert_eq(output("out/link")->kind, NODE_SYMLINK);
	cr_assert_str_eq(output("out/link")->target, "../elsewhere");
	cr_assert_eq(output("out/d")->kind, NODE_DIRECTORY);
	cr_assert(!output("out/file")->props.present);
}

Test(collect, rule_134_paths_are_relative_to_the_working_directory)
{
	scratch_write(&dir, "work/here/out/file", "content", 0644);
	options.cwd = "work/here";
	want("out/file");
	expect_ok();
	cr_assert_eq(output("out/file")->digest.size, 7);
	options.cwd = "../x";
	expect_error(RX_EPARSE, "../x");
}

/* trexe sends such paths; the result has them as they were declared. */
Test(collect, rule_132_an_output_may_lie_beside_the_working_directory)
{
	scratch_write(&dir, "work/here/f", "content", 0644);
	scratch_write(&dir, "work/g", "beside", 0644);
	options.cwd = "work/here";
	want("../g");
	want("f");
	expect_ok();
	cr_assert_eq(output("../g")->digest.size, 6);
	want("../../../g");
	expect_error(RX_EPARSE, "../../../g");
}

Test(collect, rule_136_what_is_not_there_is_left_out)
{
	scratch_write(&dir, "file", "x", 0644);
	want("none");
	want("no/such/dir");
	want("file/below");
	want("file");
	expect_ok();
	cr_assert_eq(result.n_outputs, 1);
}

Test(collect, rule_132_paths_that_are_not_clean_are_refused)
{
	static const char *const bad[] = { "/etc/passwd", "../x", "a/../../x", "a/", "", "a//b" };

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		action.n_output_paths = 0;
		want(bad[i]);
		expect_error(RX_EPARSE, bad[i]);
	}
}

Test(collect, rule_132_the_empty_output_directory_is_the_working_directory)
{
	static const char *dirs[] = { "" };

	scratch_write(&dir, "w/a", "x", 0644);
	options.old_fields = true;
	options.cwd = "w";
	action.output_directories = dirs;
	action.n_output_directories = 1;
	expect_ok();
	cr_assert_eq(output("")->kind, NODE_DIRECTORY);
	options.cwd = "";
	expect_ok();
	cr_assert_eq(tree_of(output("")).n_children, 1);
}

/* ---- trees ---- */

Test(collect, rule_25_trees_are_sorted_topologically)
{
	struct wire_tree t;
	char hex[129];

	scratch_write(&dir, "o/a/s", "shared", 0644);
	scratch_write(&dir, "o/b/own", "o", 0644);
	scratch_write(&dir, "o/b/again/s", "shared", 0644);
	want("o");
	expect_ok();
	cr_assert(output("o")->topological);
	digest_hex(&output("o")->tree_digest, hex); /* vector tree-dedup-topo */
	cr_assert_str_eq(hex, "49c5c706b82c8d9e4aade51e1beb485b5b0245f8745c70540373d0553f86ece8");
	t = tree_of(output("o"));
	cr_assert(wire_tree_check_sorted(&t, DIGEST_SHA256, &err));
	cr_assert(wire_tree_check_complete(&t, DIGEST_SHA256, &err));
}

Test(collect, rule_139_formats)
{
	static const struct {
		enum output_format format;
		bool tree, directory;
	} cases[] = { { OUTPUT_TREE_ONLY, true, false },
		      { OUTPUT_DIRECTORY_ONLY, false, true },
		      { OUTPUT_TREE_AND_DIRECTORY, true, true },
		      { (enum output_format)7, true, false } };

	scratch_write(&dir, "o/a/s", "shared", 0644);
	want("o");
	for (size_t i = 0; i < RX_COUNT(cases); i++) {
		memory_store_release(&store);
		memory_store_init(&store);
		options.format = cases[i].format;
		expect_ok();
		cr_assert_eq(digest_is_set(&output("o")->tree_digest), cases[i].tree);
		cr_assert_eq(digest_is_set(&output("o")->digest), cases[i].directory);
		cr_assert_eq(store.puts, 1 + cases[i].tree + 2 * cases[i].directory);
		if (cases[i].tree && cases[i].directory) { /* rule 140 */
			struct wire_tree t = tree_of(output("o"));
			struct digest d;
			digest_of_view(DIGEST_SHA256, t.root, &d);
			cr_assert(digest_eq(&d, &output("o")->digest));
		}
	}
}

Test(collect, an_empty_directory_has_a_tree)
{
	scratch_mkdirs(&dir, "o");
	want("o");
	options.format = OUTPUT_TREE_AND_DIRECTORY;
	expect_ok();
	cr_assert_eq(output("o")->tree_digest.size, 2);
	cr_assert_eq(output("o")->digest.size, 0);
}

Test(collect, what_was_collected_can_be_made_again)
{
	struct materialise_options mo = { .target_dir = dir.path,
					  .codec = &wire_directory_codec,
					  .function = DIGEST_SHA256 };
	struct materialise *m = materialise_new(&mo);
	struct digest_list missing = { 0 };
	struct materialise_stats stats;
	struct digest before;

	scratch_write(&dir, "o/a/b/c", "1", 0755);
	scratch_mkdirs(&dir, "o/empty");
	symlinkat("nowhere", dir.fd, "o/a/link");
	want("o");
	options.format = OUTPUT_DIRECTORY_ONLY;
	expect_ok();
	before = output("o")->digest;
	cr_assert(materialise_tree(m, "again", &before, &store.source, &missing, &err));
	cr_assert(materialise_run(m, &store.source, &missing, &stats, &err), "%s",
		  rx_err_text(&err));
	materialise_free(m);
	want("again");
	expect_ok();
	cr_assert(digest_eq(&output("again")->digest, &before));
}

Test(collect, outputs_inside_outputs)
{
	scratch_write(&dir, "o/a", "1", 0644);
	want("o");
	want("o/a");
	want("o/a");
	expect_ok();
	cr_assert_eq(result.n_outputs, 2);
}

Test(collect, on_a_pool_the_same_comes_out)
{
	struct digest alone;
	char path[32];

	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "o/d%d/f%d", i % 9, i);
		scratch_write(&dir, path, path, i % 2 ? 0644 : 0755);
	}
	want("o");
	expect_ok();
	alone = output("o")->tree_digest;
	options.pool = pool_new(3, 4);
	expect_ok();
	pool_free(options.pool);
	cr_assert(digest_eq(&output("o")->tree_digest, &alone));
}

/* ---- confined ---- */

Test(collect, parents_that_lead_out_are_refused)
{
	struct scratch other;
	char *up;

	scratch_init(&other);
	scratch_write(&other, "secret", "secret", 0644);
	symlinkat(other.path, dir.fd, "abs");
	up = xasprintf("../%s", strrchr(other.path, '/') + 1);
	symlinkat(up, dir.fd, "up");
	free(up);
	want("abs/secret");
	expect_error(RX_EPARSE, "abs/secret");
	action.n_output_paths = 0;
	want("up/secret");
	expect_error(RX_EPARSE, "up/secret");
	action.n_output_paths = 0;
	options.cwd = "up";
	want("secret");
	expect_error(RX_EPARSE, "up/secret");
	cr_assert_eq(store.puts, 0);
	scratch_release(&other);
}

Test(collect, parents_that_are_links_within_the_root_are_followed)
{
	scratch_write(&dir, "real/sub/file", "content", 0644);
	symlinkat("real", dir.fd, "alias");
	want("alias/sub/file");
	want("alias/sub");
	expect_ok();
	cr_assert_eq(output("alias/sub/file")->digest.size, 7);
	cr_assert_eq(output("alias/sub")->kind, NODE_DIRECTORY);
}

Test(collect, links_in_output_directories_are_never_followed)
{
	struct wire_tree t;
	struct directory d;

	scratch_mkdirs(&dir, "o");
	symlinkat("/etc", dir.fd, "o/etc");
	symlinkat("loop", dir.fd, "o/loop");
	symlinkat(".", dir.fd, "o/self");
	options.allow_absolute_links = true;
	want("o");
	expect_ok();
	t = tree_of(output("o"));
	cr_assert_eq(t.n_children, 0);
	cr_assert(wire_directory_unpack(&arena, t.root, DIGEST_SHA256, &d, &err));
	cr_assert_eq(d.n_links, 3);
	cr_assert_str_eq(d.links[0].target, "/etc");
}

Test(collect, rule_51_absolute_links_only_where_allowed)
{
	scratch_mkdirs(&dir, "o");
	symlinkat("/abs", dir.fd, "link");
	symlinkat("/abs2", dir.fd, "o/inner");
	want("link");
	expect_error(RX_EPARSE, "link");
	cr_assert(strstr(rx_err_text(&err), "/abs"));
	action.n_output_paths = 0;
	want("o");
	expect_error(RX_EPARSE, "o/inner");
	options.allow_absolute_links = true;
	expect_ok();
}

/* ---- what cannot be stored ---- */

Test(collect, special_files_are_named)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	mkfifoat(dir.fd, "fifo", 0644);
	want("fifo");
	expect_error(RX_EPARSE, "'fifo' is a FIFO");
	action.n_output_paths = 0;
	scratch_mkdirs(&dir, "o");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/o/sock", dir.path);
	cr_assert_eq(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(s);
	want("o");
	expect_error(RX_EPARSE, "'o/sock' is a socket");
}

Test(collect, rule_10_names_that_are_not_utf8_are_named_escaped)
{
	scratch_write(&dir, "o/\xff", "x", 0644);
	want("o");
	expect_error(RX_EPARSE, "\\xff");
	unlinkat(dir.fd, "o/\xff", 0);
	symlinkat("\xfe", dir.fd, "o/link");
	expect_error(RX_EPARSE, "\\xfe");
}

Test(collect, what_the_action_made_unreadable_is_read)
{
	become_nobody(&dir);
	scratch_write(&dir, "o/d/secret", "content", 0000);
	scratch_write(&dir, "p/tool", "run", 0111);
	symlinkat("d", dir.fd, "o/link");
	fchmodat(dir.fd, "o/d", 0000, 0);
	fchmodat(dir.fd, "o", 0600, 0);
	fchmodat(dir.fd, "p", 0000, 0);
	want("o");
	want("p/tool");
	expect_ok();
	cr_assert_eq(tree_of(output("o")).n_children, 1);
	cr_assert(output("p/tool")->is_executable);
	cr_assert_eq(output("p/tool")->digest.size, 3);
	become_root_again();
}

Test(collect, what_is_unreadable_and_not_ours_is_named)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to make a file of another user");
	scratch_write(&dir, "o/secret", "content", 0600);
	cr_assert_eq(fchmod(dir.fd, 0755), 0);
	become_nobody(NULL);
	want("o");
	expect_error(RX_EIO, "o/secret");
	become_root_again();
}

Test(collect, more_than_max_bytes_is_refused)
{
	scratch_write(&dir, "o/a", "12345", 0644);
	scratch_write(&dir, "o/b", "12345", 0644);
	want("o");
	options.max_bytes = 10;
	expect_ok();
	options.max_bytes = 9;
	expect_error(RX_ELIMIT, "9 bytes");
}

static void pack_too_much(const struct rx_view *records, size_t n, struct rx_buf *out)
{
	cr_assert_eq(out->max, LIMIT_TREE_BYTES);
	(void)records, (void)n;
	out->full = true;
}

Test(collect, trees_over_the_limit_of_bytes_are_refused)
{
	scratch_mkdirs(&dir, "o");
	want("o");
	options.tree_pack = pack_too_much;
	expect_error(RX_ELIMIT, "'o'");
}

Test(collect, trees_over_the_depth_limit_are_refused)
{
	int at = dup(dir.fd);

	for (int i = 0; i < LIMIT_TREE_DEPTH + 2; i++) {
		int next;
		mkdirat(at, "a-long-name-in-a-deep-tree", 0755);
		next = openat(at, "a-long-name-in-a-deep-tree", O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	close(at);
	want("a-long-name-in-a-deep-tree");
	expect_error(RX_ELIMIT, "deeper");
}

/* ---- old fields ---- */

Test(collect, rule_138_old_fields_check_kinds)
{
	static const char *files[] = { "f" }, *dirs[] = { "d" };

	options.old_fields = true;
	action.output_files = files;
	action.n_output_files = 1;
	action.output_directories = dirs;
	action.n_output_directories = 1;
	want("ignored");
	scratch_write(&dir, "ignored", "x", 0644);
	scratch_write(&dir, "f", "x", 0644);
	scratch_write(&dir, "d/x", "x", 0644);
	expect_ok();
	cr_assert_eq(result.n_outputs, 2);
	files[0] = "d";
	dirs[0] = "none";
	expect_error(RX_EPARSE, "'d' was declared in output_files");
	files[0] = "none";
	dirs[0] = "f";
	expect_error(RX_EPARSE, "'f' was declared in output_directories");
	/* Links count as what they lead to, and dangling ones pass. */
	symlinkat("d", dir.fd, "to-d");
	symlinkat("f", dir.fd, "to-f");
	symlinkat("gone", dir.fd, "to-nothing");
	files[0] = "to-f";
	dirs[0] = "to-d";
	expect_ok();
	cr_assert_eq(output("to-d")->kind, NODE_SYMLINK);
	files[0] = "to-d";
	dirs[0] = "none";
	expect_error(RX_EPARSE, "to-d");
	files[0] = "to-nothing";
	expect_ok();
}

/* ---- node properties ---- */

Test(collect, rule_143_node_properties_when_asked)
{
	static const char *names[] = { "mtime", "unix_mode" };
	struct timespec when[2] = { { 1, 0 }, { 1234, 5000 } };
	struct directory d;

	scratch_write(&dir, "o/f", "x", 0640);
	scratch_write(&dir, "g", "x", 0751);
	utimensat(dir.fd, "g", when, 0);
	want("o");
	want("g");
	options.node_properties = names;
	options.n_node_properties = 2;
	expect_ok();
	cr_assert(output("g")->props.present);
	cr_assert(output("g")->props.has_mode && output("g")->props.has_mtime);
	cr_assert_eq(output("g")->props.mode, 0751);
	cr_assert_eq(output("g")->props.mtime_s, 1234);
	cr_assert_eq(output("g")->props.mtime_ns, 5000);
	cr_assert(
		wire_directory_unpack(&arena, tree_of(output("o")).root, DIGEST_SHA256, &d, &err));
	cr_assert(d.files[0].props.has_mode);
	cr_assert_eq(d.files[0].props.mode, 0640);
	cr_assert(d.props.has_mode);
	names[0] = "colour";
	expect_error(RX_EPARSE, "colour");
}
