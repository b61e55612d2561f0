/* test_server_results: trees and action results of the server over a socket, rule by rule. */
#include "server_fixture.h"

TestSuite(server_results, .init = fx_setup, .fini = fx_teardown, .timeout = 60);

static const struct server_options defaults;

/* --- GetTree --- */

static struct digest put_directory(struct directory *dir)
{
	struct rx_buf b = { .max = RX_BUF_NO_MAX };
	struct digest d;

	wire_directory_pack(dir, &b);
	d = fx_put(arena_view(&fx_arena, rx_view_of(&b)));
	rx_buf_release(&b);
	return d;
}

/* root -> d000..dNNN, each -> "shared" */
static struct digest put_tree(size_t n, struct digest *one_child)
{
	struct file_node file = { .name = "f", .digest = fx_put(hello) };
	struct directory shared = { .files = &file, .n_files = 1 };
	struct directory_node down = { .name = "s", .digest = put_directory(&shared) };
	struct directory_node *nodes = ARENA_ARRAY(&fx_arena, struct directory_node, n);
	struct directory root = { .dirs = nodes, .n_dirs = n };

	for (size_t i = 0; i < n; i++) {
		const char *name = arena_printf(&fx_arena, "d%03zu", i);
		struct symlink_node link = { .name = "l", .target = name };
		struct directory child = {
			.dirs = &down, .n_dirs = 1, .links = &link, .n_links = 1
		};

		nodes[i].name = name;
		nodes[i].digest = put_directory(&child);
	}
	*one_child = nodes[n / 2].digest;
	return put_directory(&root);
}

static int get_tree(const struct digest *root, int32_t size, const char *token,
		    struct wire_tree_page *pages)
{
	const struct wire_get_tree m = { .root = *root, .page_size = size, .page_token = token };
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	int code;

	wire_get_tree_pack(&m, &req);
	code = fx_read(WIRE_CAS "GetTree", &req);
	for (size_t i = 0; i < fx_n_messages; i++)
		cr_assert(wire_tree_page_unpack(&fx_arena, fx_messages[i], &pages[i], &err));
	return code;
}

Test(server_results, rule_155_156_get_tree)
{
	static struct wire_tree_page pages[100], again[100];
	struct digest root, child, absent = fx_digest(RX_VIEW("no")), d;
	size_t total = 0, n;
	char *path;

	fx_start(defaults);
	root = put_tree(50, &child);
	cr_assert(get_tree(&root, 10, "", pages) == 0, "%s", fx_status.message);
	n = fx_n_messages;
	cr_expect(n == 6);
	for (size_t i = 0; i < n; i++) {
		cr_expect(pages[i].n <= 10);
		cr_expect((pages[i].next_page_token[0] == '\0') == (i + 1 == n));
		total += pages[i].n;
	}
	cr_expect(total == 52, "root, 50 and the shared one once: %zu", total);
	d = fx_digest(pages[0].directories[0]);
	cr_expect(digest_eq(&d, &root), "the root comes first");
	/* from a token on */
	cr_assert(get_tree(&root, 10, pages[2].next_page_token, again) == 0);
	cr_expect(fx_n_messages == 3);
	cr_expect(rx_view_eq(again[0].directories[0], pages[3].directories[0]));
	/* tokens of other trees, and what never was one */
	cr_expect(get_tree(&child, 10, pages[2].next_page_token, again) == RPC_INVALID_ARGUMENT);
	cr_expect(get_tree(&root, 10, "junk", again) == RPC_INVALID_ARGUMENT);
	cr_expect(get_tree(&root, -1, "", again) == RPC_INVALID_ARGUMENT);
	cr_expect(get_tree(&absent, 0, "", again) == RPC_NOT_FOUND);
	/* missing parts are left out */
	path = stored(&child);
	cr_assert(unlink(path) == 0);
	free(path);
	cr_expect(get_tree(&root, 0, "", again) == 0 && fx_n_messages == 1);
	cr_expect(again[0].n == 51);
}

Test(server_results, get_tree_of_the_empty_directory)
{
	struct wire_tree_page page;
	struct digest empty;

	fx_start(defaults);
	digest_empty(DIGEST_SHA256, &empty);
	cr_expect(get_tree(&empty, 0, "", &page) == 0 && fx_n_messages == 1);
	cr_expect(page.n == 1 && page.directories[0].n == 0);
}

/* --- ActionCache --- */

static int update(const char *instance, const struct digest *action, const struct result *r)
{
	const struct wire_update_result m = { .instance = instance,
					      .action = *action,
					      .result = *r };
	struct rx_buf req = { .max = RX_BUF_NO_MAX };

	wire_update_result_pack(&m, WIRE_LINKS_NEW, &req);
	return fx_unary(WIRE_AC "UpdateActionResult", &req, NULL);
}

static int get(struct wire_get_result m, struct result *out)
{
	struct rx_err err = { 0 };
	struct rx_buf req = { 0 };
	struct rx_view reply;

	wire_get_result_pack(&m, &req);
	if (fx_unary(WIRE_AC "GetActionResult", &req, &reply))
		return fx_status.code;
	cr_assert(wire_result_unpack(&fx_arena, reply, DIGEST_SHA256, out, &err), "%s",
		  rx_err_text(&err));
	return 0;
}

Test(server_results, rule_102_104_results)
{
	struct digest action = fx_digest(RX_VIEW("action"));
	struct result_output out = { .path = "bin/a", .kind = NODE_FILE, .is_executable = true };
	struct result r = { .outputs = &out, .n_outputs = 1 }, got;
	struct wire_status status;
	struct rx_err err = { 0 };

	fx_start(defaults);
	out.digest = fx_digest(hello);
	r.stdout_digest = fx_digest(RX_VIEW("said"));
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == RPC_NOT_FOUND);
	cr_expect(update("", &action, &r) == RPC_FAILED_PRECONDITION, "outputs first");
	cr_assert(wire_status_unpack(&fx_arena, fx_status.details, &status, &err));
	cr_expect(status.all_missing && status.n_violations == 2);
	fx_put(hello);
	fx_put(RX_VIEW("said"));
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0);
	cr_expect(got.n_outputs == 1 && digest_eq(&got.outputs[0].digest, &out.digest));
	cr_expect(got.outputs[0].is_executable);
	cr_expect(get((struct wire_get_result){ .action = action, .instance = "other" }, &got) ==
			  RPC_NOT_FOUND,
		  "instances are apart");
	cr_expect(update("other", &action, &r) == 0);
	cr_expect(get((struct wire_get_result){ .action = action, .instance = "other" }, &got) ==
		  0);
	fx_stop();
	fx_start(defaults);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0, "it is on disk");
}

Test(server_results, rule_103_no_hit_without_all_outputs)
{
	struct digest action = fx_digest(RX_VIEW("action")), child, root, tree;
	struct result_output out = { .path = "dir", .kind = NODE_DIRECTORY };
	struct result r = { .outputs = &out, .n_outputs = 1 }, got;
	struct digest file = fx_digest(hello);
	struct rx_buf b = { .max = RX_BUF_NO_MAX };
	struct wire_tree_page page;
	struct wire_tree t = { .has_root = true };
	char *path;

	fx_start(defaults);
	root = put_tree(3, &child);
	cr_assert(get_tree(&root, 0, "", &page) == 0);
	t.root = page.directories[0];
	t.children = page.directories + 1;
	t.n_children = page.n - 1;
	wire_tree_pack(&t, &b);
	tree = fx_put(arena_view(&fx_arena, rx_view_of(&b)));
	rx_buf_release(&b);

	out.tree_digest = tree;
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0);
	/* a file below the directory */
	path = stored(&file);
	cr_assert(unlink(path) == 0);
	free(path);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == RPC_NOT_FOUND);
	fx_put(hello);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == 0);
	/* by its root Directory: the directories themselves are needed, too */
	out.tree_digest = (struct digest){ 0 };
	out.digest = root;
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	path = stored(&child);
	cr_assert(unlink(path) == 0);
	free(path);
	cr_expect(get((struct wire_get_result){ .action = action }, &got) == RPC_NOT_FOUND);
}

Test(server_results, rule_109_inlining_is_honoured_up_to_a_limit)
{
	struct digest action = fx_digest(RX_VIEW("action"));
	struct rx_view big;
	struct result_output out[2] = { { .path = "a", .kind = NODE_FILE },
					{ .path = "b", .kind = NODE_FILE } };
	struct result r = { .outputs = out, .n_outputs = 2 }, got;
	const char *files[] = { "a", "b", "c" };

	fx_start(defaults);
	big = fx_bytes(3, LIMIT_INLINE_BYTES + 1);
	out[0].digest = fx_put(hello);
	out[1].digest = fx_put(big);
	r.stdout_digest = fx_put(RX_VIEW("out"));
	r.stderr_digest = fx_put(RX_VIEW("err"));
	cr_assert(update("", &action, &r) == 0);
	cr_assert(get((struct wire_get_result){ .action = action }, &got) == 0);
	cr_expect(!got.stdout_raw.n && !got.stderr_raw.n);
	cr_assert(get((struct wire_get_result){ .action = action,
						.inline_stdout = true,
						.inline_stderr = true,
						.inline_files = files,
						.n_inline_files = 3 },
		      &got) == 0);
	cr_expect(rx_view_eq_str(got.stdout_raw, "out"));
	cr_expect(rx_view_eq_str(got.stderr_raw, "err"));
	cr_expect(rx_view_eq(result_find(&got, "a")->contents, hello));
	cr_expect(result_find(&got, "b")->contents.n == 0, "too large");
}

Test(server_results, rule_142_inlined_parts_are_checked_and_stored)
{
	struct digest action = fx_digest(RX_VIEW("action"));
	struct result_output out = { .path = "a", .kind = NODE_FILE, .contents = hello };
	struct result r = { .outputs = &out, .n_outputs = 1, .stdout_raw = RX_VIEW("said") };

	fx_start(defaults);
	out.digest = fx_digest(RX_VIEW("hello, moons"));
	cr_expect(update("", &action, &r) == RPC_INVALID_ARGUMENT);
	out.digest = fx_digest(hello);
	r.stdout_digest = fx_digest(RX_VIEW("said"));
	cr_expect(update("", &action, &r) == 0, "%s", fx_status.message);
	cr_expect(fx_missing(&out.digest, 1) == 0);
	cr_expect(fx_missing(&r.stdout_digest, 1) == 0);
}

Test(server_results, result_paths_are_checked)
{
	static const struct {
		const char *path;
		int code;
	} cases[] = { { "/abs", RPC_INVALID_ARGUMENT },
		      { "a/../../b", RPC_INVALID_ARGUMENT },
		      { "a//b", RPC_INVALID_ARGUMENT },
		      { "", RPC_INVALID_ARGUMENT },
		      { "../beside", RPC_OK } }; /* perhaps below the root: the Command knows */
	struct digest action = fx_digest(RX_VIEW("action"));

	fx_start(defaults);
	fx_put(hello);
	for (size_t i = 0; i < RX_COUNT(cases); i++) {
		struct result_output out = { .path = cases[i].path,
					     .kind = NODE_FILE,
					     .digest = fx_digest(hello) };
		struct result r = { .outputs = &out, .n_outputs = 1 };

		cr_expect(update("", &action, &r) == cases[i].code, "'%s'", cases[i].path);
	}
}
