/* test_merkle: names of nodes, their order, Directory messages and the order of a Tree. */
#include <criterion/criterion.h>

#include "memory_store.h"
#include "merkle.h"
#include "wire_tree.h"

static struct node_tree tree;
static struct rx_err err;
static struct arena keep;

static void setup(void)
{
	node_tree_init(&tree, RX_EUSAGE);
}

static void teardown(void)
{
	node_tree_release(&tree);
	arena_release(&keep);
	rx_err_release(&err);
}

TestSuite(merkle, .init = setup, .fini = teardown);

static struct node *file(struct node *dir, const char *name, const char *text)
{
	struct node *n = node_add(&tree, dir, name, NODE_FILE, &err);

	cr_assert(n, "%s", rx_err_text(&err));
	digest_of(DIGEST_SHA256, text, strlen(text), &n->digest);
	return n;
}

static struct node *dir(struct node *parent, const char *name)
{
	struct node *n = node_add(&tree, parent, name, NODE_DIRECTORY, &err);

	cr_assert(n, "%s", rx_err_text(&err));
	return n;
}

Test(merkle, rule_10_refuses_names_that_are_no_segment)
{
	const char *bad[] = { "", ".", "..", "a/b", "/", "a\xff", "\xc0\xaf", "\xed\xa0\x80" };

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		cr_assert_null(node_add(&tree, tree.root, bad[i], NODE_FILE, &err), "'%s'", bad[i]);
		cr_assert_eq(err.code, RX_EUSAGE);
		rx_err_reset(&err);
	}
	/* The message is printable whatever the name. */
	cr_assert_null(node_add(&tree, tree.root, "x\n\x01\xff", NODE_FILE, &err));
	for (const char *p = rx_err_text(&err); *p; p++)
		cr_assert(*p >= ' ' && *p < 127);
}

Test(merkle, odd_but_legal_names_are_taken)
{
	const char *good[] = { "...", ".a", "a b", "a\nb", "\x01", "\\", "*", "\xef\xbd\x9e" };

	for (size_t i = 0; i < RX_COUNT(good); i++)
		cr_assert(node_add(&tree, tree.root, good[i], NODE_FILE, &err), "%s",
			  rx_err_text(&err));
}

Test(merkle, names_over_the_limit_are_refused)
{
	char *name = xmalloc(LIMIT_NAME_BYTES + 2);

	memset(name, 'a', LIMIT_NAME_BYTES + 1);
	name[LIMIT_NAME_BYTES + 1] = 0;
	cr_assert_null(node_add(&tree, tree.root, name, NODE_FILE, &err));
	cr_assert_eq(err.code, RX_ELIMIT);
	name[LIMIT_NAME_BYTES] = 0;
	rx_err_reset(&err);
	cr_assert(node_add(&tree, tree.root, name, NODE_FILE, &err));
	node_tree_release(&tree);
	free(name);
	setup();
}

Test(merkle, trees_over_the_depth_limit_are_refused)
{
	struct node *at = tree.root;

	for (int i = 0; i < LIMIT_TREE_DEPTH; i++)
		at = dir(at, "d");
	cr_assert(node_add(&tree, at, "file", NODE_FILE, &err));
	cr_assert_null(node_add(&tree, at, "d", NODE_DIRECTORY, &err));
	cr_assert_eq(err.code, RX_ELIMIT);
}

Test(merkle, trees_over_the_limit_of_nodes_are_refused)
{
	tree.n = LIMIT_TREE_NODES - 1;
	cr_assert(node_add(&tree, tree.root, "last", NODE_FILE, &err));
	cr_assert_null(node_add(&tree, tree.root, "more", NODE_FILE, &err));
	cr_assert_eq(err.code, RX_ELIMIT);
}

Test(merkle, directories_over_the_limit_of_bytes_are_refused)
{
	RX_CLEANUP(merkle_release)
	struct merkle m = { .codec = &wire_directory_codec, .function = DIGEST_SHA256 };
	char *target = xmalloc((1 << 20) + 1);
	char name[8];

	memset(target, 'x', 1 << 20);
	target[1 << 20] = 0;
	for (unsigned i = 0; i < LIMIT_DIRECTORY_BYTES >> 20; i++) {
		struct node *n;
		snprintf(name, sizeof(name), "l%u", i);
		n = node_add(&tree, tree.root, arena_str(&tree.arena, name), NODE_SYMLINK, &err);
		n->target = target;
	}
	cr_assert(!merkle_encode(&m, tree.root, &err));
	cr_assert_eq(err.code, RX_ELIMIT);
	tree.root->dir->n--;
	rx_err_reset(&err);
	cr_assert(merkle_encode(&m, tree.root, &err));
	free(target);
}

Test(merkle, finds_children_among_many)
{
	char name[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		cr_assert(
			node_add(&tree, tree.root, arena_str(&tree.arena, name), NODE_FILE, &err));
		cr_assert_eq(node_find(&tree, tree.root, name, strlen(name)),
			     tree.root->dir->kids[i]);
	}
	cr_assert_null(node_find(&tree, tree.root, "n1000", 5));
	cr_assert_not_null(node_find(&tree, tree.root, "n99x", 3));
}

Test(merkle, sorting_puts_paths_in_byte_order)
{
	static const char *const expected[] = { "a-b", "a.c", "a", "a0" };

	dir(tree.root, "a0");
	dir(tree.root, "a"); /* stands for "a/...": '-' < '.' < '/' < '0' */
	file(tree.root, "a.c", "");
	dir(tree.root, "a-b");
	node_sort(tree.root);
	for (size_t i = 0; i < RX_COUNT(expected); i++)
		cr_assert_str_eq(tree.root->dir->kids[i]->name, expected[i]);
}

/* Long common beginnings, names that are beginnings of others, kinds mixed. */
Test(merkle, sorting_is_that_of_whole_paths)
{
	char name[32], last[64] = "", path[64];

	for (unsigned i = 0; i < 500; i++) {
		unsigned r = i * 2654435761u;
		snprintf(name, sizeof(name), "%.*s%c%u", (int)(r % 12), "aaaaaaaaaaaa",
			 "-./0a_~"[(r >> 8) % 7] == '/' ? 'b' : "-./0a_~"[(r >> 8) % 7], i % 37);
		if (node_find(&tree, tree.root, name, strlen(name)))
			continue;
		cr_assert(node_add(&tree, tree.root, arena_str(&tree.arena, name),
				   r & 4096 ? NODE_DIRECTORY : NODE_FILE, &err));
	}
	node_sort(tree.root);
	for (size_t i = 0; i < tree.root->dir->n; i++) {
		struct node *n = tree.root->dir->kids[i];
		snprintf(path, sizeof(path), "%s%s", n->name, n->dir ? "/x" : "");
		cr_assert_lt(strcmp(last, path), 0, "'%s' before '%s'", last, path);
		memcpy(last, path, sizeof(path));
	}
}

Test(merkle, rule_18_the_empty_directory_is_the_empty_blob)
{
	RX_CLEANUP(merkle_release)
	struct merkle m = { .codec = &wire_directory_codec, .function = DIGEST_SHA256 };
	struct digest empty;

	cr_assert(merkle_encode(&m, tree.root, &err));
	digest_empty(DIGEST_SHA256, &empty);
	cr_assert(digest_eq(&tree.root->digest, &empty));
}

/* Vector tree-dedup-topo: a directory with parents at two depths is stored once, behind both. */
Test(merkle, rule_25_topological_vector)
{
	RX_CLEANUP(merkle_release)
	struct merkle m = { .codec = &wire_directory_codec,
			    .function = DIGEST_SHA256,
			    .keep = &keep };
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = 1 << 20 };
	struct wire_tree t = { .has_root = true };
	struct node *a = dir(tree.root, "a"), *b = dir(tree.root, "b");
	struct rx_view *records;
	struct digest d;
	char hex[129];
	size_t n;

	file(a, "s", "shared");
	cr_assert(file(b, "own", "o"));
	file(dir(b, "again"), "s", "shared");
	cr_assert(merkle_encode(&m, tree.root, &err), "%s", rx_err_text(&err));
	records = merkle_records(&m, tree.root, &n);
	cr_assert_eq(n, 3);
	t.root = records[0];
	t.children = records + 1;
	t.n_children = n - 1;
	cr_assert(wire_tree_check_sorted(&t, DIGEST_SHA256, &err), "%s", rx_err_text(&err));
	wire_tree_pack(&t, &bytes);
	digest_of_view(DIGEST_SHA256, rx_view_of(&bytes), &d);
	digest_hex(&d, hex);
	cr_assert_eq(bytes.n, 390);
	cr_assert_str_eq(hex, "49c5c706b82c8d9e4aade51e1beb485b5b0245f8745c70540373d0553f86ece8");
}

Test(merkle, rule_25_every_parent_comes_before_its_children)
{
	RX_CLEANUP(merkle_release)
	struct merkle m = { .codec = &wire_directory_codec,
			    .function = DIGEST_SHA256,
			    .keep = &keep };
	struct wire_tree t = { .has_root = true };
	struct rx_view *records;
	size_t n;

	/* Chains that share their ends at all depths. */
	for (int i = 0; i < 8; i++) {
		char name[8];
		struct node *at;

		snprintf(name, sizeof(name), "c%d", (i * 5) % 8);
		at = dir(tree.root, arena_str(&tree.arena, name));
		for (int j = 0; j <= i; j++)
			at = dir(at, "d");
		file(at, "end", "same");
	}
	cr_assert(merkle_encode(&m, tree.root, &err));
	records = merkle_records(&m, tree.root, &n);
	t.root = records[0];
	t.children = records + 1;
	t.n_children = n - 1;
	cr_assert_eq(n, 1 + 9); /* the root and chains of length 0 to 8 */
	cr_assert(wire_tree_check_sorted(&t, DIGEST_SHA256, &err), "%s", rx_err_text(&err));
	cr_assert(wire_tree_check_complete(&t, DIGEST_SHA256, &err), "%s", rx_err_text(&err));
}
