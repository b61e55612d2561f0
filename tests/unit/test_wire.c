/* test_wire: trees, actions and results as bytes, by rule. */
#include <criterion/criterion.h>

#include "wire_ac.h"
#include "wire_action.h"
#include "wire_tree.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
/* a Digest of size 1 as field 2: 72 bytes */
#define DIGEST2 "\x12\x44\x0a\x40" A "\x10\x01"
/* a file `a` as an entry of a Directory */
#define FILE_A                                                                                     \
	"\x0a\x49\x0a\x01"                                                                         \
	"a" DIGEST2

static struct arena arena;
static struct rx_err err;

static void release(void)
{
	arena_release(&arena);
	rx_err_release(&err);
}

TestSuite(wire_tree, .fini = release);
TestSuite(wire_action, .fini = release);
TestSuite(wire_result, .fini = release);

static struct directory dir;

static bool reads(struct rx_view bytes)
{
	rx_err_reset(&err);
	dir = (struct directory){ 0 };
	return wire_directory_unpack(&arena, bytes, DIGEST_UNKNOWN, &dir, &err);
}

static struct digest some_digest(int seed)
{
	struct digest d;

	digest_of(DIGEST_SHA256, &seed, sizeof(seed), &d);
	return d;
}

Test(wire_tree, rule_9_names_are_unique_over_all_three_lists)
{
	cr_assert(reads(RX_VIEW(FILE_A)), "%s", rx_err_text(&err));
	cr_expect_eq(dir.marks, 0);
	cr_assert(reads(RX_VIEW(FILE_A "\x12\x49\x0a\x01"
				       "a" DIGEST2)));
	cr_expect_eq(dir.marks, MARK_DUPLICATE);
	cr_assert(reads(RX_VIEW(FILE_A "\x1a\x06\x0a\x01"
				       "a"
				       "\x12\x01"
				       "t")));
	cr_expect_eq(dir.marks, MARK_DUPLICATE);
	cr_assert(reads(RX_VIEW(FILE_A "\x1a\x06\x0a\x01"
				       "b"
				       "\x12\x01"
				       "t")));
	cr_expect_eq(dir.marks, 0);
	/* also when sorting went wrong elsewhere */
	cr_assert(reads(RX_VIEW(FILE_A "\x1a\x06\x0a\x01"
				       "b"
				       "\x12\x01"
				       "t"
				       "\x1a\x06\x0a\x01"
				       "a"
				       "\x12\x01"
				       "t")));
	cr_expect_eq(dir.marks, MARK_DUPLICATE | MARK_UNSORTED);
}

/* Case is the host's business: "A" and "a" are two files. */
Test(wire_tree, rule_11_names_that_differ_in_case_are_two)
{
	cr_assert(reads(RX_VIEW("\x0a\x49\x0a\x01"
				"A" DIGEST2 FILE_A)),
		  "%s", rx_err_text(&err));
	cr_expect_eq(dir.marks, 0);
	cr_expect_eq(dir.n_files, 2);
}

Test(wire_tree, rule_10_names_are_one_segment)
{
	cr_expect_not(reads(RX_VIEW("\x1a\x05\x0a\x00\x12\x01"
				    "t")));
	cr_expect(strstr(rx_err_text(&err), "SymlinkNode.name: is empty at byte"), "%s",
		  rx_err_text(&err));
	cr_expect_not(reads(RX_VIEW("\x1a\x07\x0a\x02"
				    ".."
				    "\x12\x01"
				    "t")));
	cr_expect_not(reads(RX_VIEW("\x1a\x07\x0a\x02"
				    "a/"
				    "\x12\x01"
				    "t")));
	cr_expect_not(reads(RX_VIEW("\x1a\x07\x0a\x02"
				    "a\0"
				    "\x12\x01"
				    "t")));
	cr_expect_not(reads(RX_VIEW("\x1a\x07\x0a\x02"
				    "a\xff"
				    "\x12\x01"
				    "t")));
	cr_expect_not(reads(RX_VIEW("\x1a\x03\x12\x01"
				    "t")),
		      "no name at all");
	cr_expect_not(reads(RX_VIEW("\x12\x48" DIGEST2 "\x18\x01")));
	cr_expect(reads(RX_VIEW("\x1a\x08\x0a\x03"
				"..."
				"\x12\x01"
				"t")));
}

Test(wire_tree, rule_19_a_digest_that_is_absent_is_no_empty_blob)
{
	cr_expect_not(reads(RX_VIEW("\x0a\x03\x0a\x01"
				    "a")));
	cr_expect(strstr(rx_err_text(&err), "FileNode.digest: is missing"), "%s",
		  rx_err_text(&err));
	cr_expect_not(reads(RX_VIEW("\x0a\x05\x0a\x01"
				    "a"
				    "\x12\x00")));
	cr_expect_not(reads(RX_VIEW("\x12\x03\x0a\x01"
				    "a")));
}

Test(wire_tree, rule_20_unknown_things_are_skipped_and_marked)
{
	/* a group holding a group and a string; field 1 as a number; field 16; fixed32 and fixed64
	 */
	static const struct rx_view odd[] = {
		{ "\x7b\x83\x01\x84\x01\x12\x01"
		  "x"
		  "\x7c",
		  9 },
		{ "\x08\x05", 2 },
		{ "\x82\x01\x01"
		  "x",
		  4 },
		{ "\x7d"
		  "1234",
		  5 },
		{ "\x79"
		  "12345678",
		  9 },
	};

	for (size_t i = 0; i < RX_COUNT(odd); i++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { 0 };

		rx_buf_add(&bytes, FILE_A, sizeof(FILE_A) - 1);
		rx_buf_add(&bytes, odd[i].p, odd[i].n);
		cr_assert(reads(rx_view_of(&bytes)), "case %zu: %s", i, rx_err_text(&err));
		cr_expect(dir.marks & MARK_UNKNOWN_FIELD && dir.n_files == 1);
	}
}

Test(wire_tree, rule_20_broken_groups_and_keys_are_refused)
{
	static const struct rx_view bad[] = {
		{ "\x7b", 1 },         /* does not end */
		{ "\x7c", 1 },         /* did not start */
		{ "\x7b\x74", 2 },     /* ends as another */
		{ "\x7b\x0a\x05", 3 }, /* broken within */
		{ "\x00\x01", 2 },     /* field 0 */
		{ "\x7e", 1 },         /* wire type 6 */
		{ "\x7f", 1 },         /* wire type 7 */
		{ "\x7d"
		  "123",
		  4 }, /* cut fixed32 */
		{ "\x79"
		  "1234567",
		  8 },                                                      /* cut fixed64 */
		{ "\x80", 1 },                                              /* cut key */
		{ "\x88\x80\x80\x80\x80\x00", 6 },                          /* key of six bytes */
		{ "\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11 },     /* over 64 bits */
		{ "\x78\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12 }, /* eleven bytes */
		{ "\x7a\xff\xff\xff\xff\x0f", 6 },                          /* 4 GiB of nothing */
	};

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		cr_expect_not(reads(bad[i]), "case %zu", i);
		cr_expect_eq(err.code, RX_EPARSE);
	}
}

Test(wire_tree, rule_2_a_digest_in_two_pieces_is_one_and_marked)
{
	cr_assert(reads(RX_VIEW("\x0a\x4b\x0a\x01"
				"a"
				"\x12\x42\x0a\x40" A "\x12\x02\x10\x01")),
		  "%s", rx_err_text(&err));
	cr_expect_eq(dir.files[0].digest.size, 1);
	cr_expect_eq(dir.files[0].digest.hash[0], 0xaa);
	cr_expect(dir.marks & MARK_ENCODING);
}

Test(wire_tree, rule_28_functions_are_not_mixed)
{
	cr_expect_not(reads(RX_VIEW(FILE_A "\x0a\x31\x0a\x01"
					   "b"
					   "\x12\x2c\x0a\x28"
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
					   "\x10\x01")));
	cr_expect(strstr(rx_err_text(&err), "FileNode.digest"), "%s", rx_err_text(&err));
}

Test(wire_tree, rule_22_targets_are_kept_and_absolute_ones_marked)
{
	cr_assert(reads(RX_VIEW("\x1a\x0c\x0a\x01"
				"l"
				"\x12\x07"
				"..//./x")));
	cr_expect_str_eq(dir.links[0].target, "..//./x");
	cr_expect_eq(dir.marks, 0);
	cr_assert(reads(RX_VIEW("\x1a\x07\x0a\x01"
				"l"
				"\x12\x02"
				"/x")));
	cr_expect_eq(dir.marks, MARK_SYMLINK_ABSOLUTE);
	cr_expect_not(reads(RX_VIEW("\x1a\x03\x0a\x01"
				    "l")),
		      "no target");
}

Test(wire_tree, rule_18_nothing_is_the_empty_directory)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };

	cr_assert(reads((struct rx_view){ 0 }));
	cr_expect(!dir.n_files && !dir.n_dirs && !dir.n_links && !dir.marks);
	wire_directory_pack(&dir, &out);
	cr_expect_eq(out.n, 0);
}

Test(wire_tree, packing_into_a_full_buffer_says_so)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { .max = 10 };
	struct file_node f = { .name = "a", .digest = some_digest(1) };

	wire_directory_pack(&(struct directory){ .files = &f, .n_files = 1 }, &out);
	cr_expect(out.full);
}

/* Trees: root names a and b, b names a again. */
struct built {
	struct rx_buf a, b, root;
	struct wire_tree tree;
	struct rx_view children[4];
};

static void built_release(struct built *t)
{
	rx_buf_release(&t->a);
	rx_buf_release(&t->b);
	rx_buf_release(&t->root);
}

static void build(struct built *t)
{
	struct file_node file = { .name = "f", .digest = some_digest(1) };
	struct directory_node dirs[2] = { { .name = "a" }, { .name = "b" } };

	*t = (struct built){ 0 };
	wire_directory_pack(&(struct directory){ .files = &file, .n_files = 1 }, &t->a);
	digest_of_view(DIGEST_SHA256, rx_view_of(&t->a), &dirs[0].digest);
	wire_directory_pack(&(struct directory){ .dirs = dirs, .n_dirs = 1 }, &t->b);
	digest_of_view(DIGEST_SHA256, rx_view_of(&t->b), &dirs[1].digest);
	wire_directory_pack(&(struct directory){ .dirs = dirs, .n_dirs = 2 }, &t->root);
	t->children[0] = rx_view_of(&t->b);
	t->children[1] = rx_view_of(&t->a);
	t->tree = (struct wire_tree){ .root = rx_view_of(&t->root),
				      .has_root = true,
				      .children = t->children,
				      .n_children = 2 };
}

static bool sorted(const struct wire_tree *t)
{
	rx_err_reset(&err);
	return wire_tree_check_sorted(t, DIGEST_UNKNOWN, &err);
}

static bool complete(const struct wire_tree *t)
{
	rx_err_reset(&err);
	return wire_tree_check_complete(t, DIGEST_UNKNOWN, &err);
}

Test(wire_tree, rule_25_every_parent_is_stored_before_its_children)
{
	RX_CLEANUP(built_release) struct built t;

	build(&t);
	cr_expect(sorted(&t.tree), "%s", rx_err_text(&err));
	t.children[0] = rx_view_of(&t.a);
	t.children[1] = rx_view_of(&t.b);
	cr_expect_not(sorted(&t.tree));
	cr_expect(strstr(rx_err_text(&err), "record 1 is stored before its parent, record 2"), "%s",
		  rx_err_text(&err));
	cr_expect(complete(&t.tree), "rule 24: any order otherwise");
}

Test(wire_tree, rule_25_directories_are_unique_and_referenced)
{
	RX_CLEANUP(built_release) struct built t;

	build(&t);
	t.children[2] = t.children[1];
	t.tree.n_children = 3;
	cr_expect_not(sorted(&t.tree));
	cr_expect(complete(&t.tree));
	t.children[2] = RX_VIEW("\x1a\x06\x0a\x01"
				"l"
				"\x12\x01"
				"t");
	cr_expect_not(sorted(&t.tree));
	cr_expect(complete(&t.tree));
}

/* What calls itself sorted is still looked at. */
Test(wire_tree, rule_27_a_sorted_tree_is_checked)
{
	RX_CLEANUP(built_release) struct built t;

	build(&t);
	cr_assert(sorted(&t.tree));
	/* a child with other bytes is another directory: nobody refers to it, and one is missing */
	t.a.p[t.a.n - 1] ^= 1;
	cr_expect_not(sorted(&t.tree));
	cr_expect_not(complete(&t.tree));
	t.a.p[t.a.n - 1] ^= 1;
	/* a child before its parents */
	t.children[0] = rx_view_of(&t.a);
	t.children[1] = rx_view_of(&t.b);
	cr_expect_not(sorted(&t.tree));
	/* one that nobody refers to */
	t.children[0] = rx_view_of(&t.b);
	t.children[1] = rx_view_of(&t.a);
	t.children[2] = RX_VIEW("");
	t.tree.n_children = 3;
	cr_expect_not(sorted(&t.tree));
}

Test(wire_tree, rule_23_every_directory_is_there)
{
	RX_CLEANUP(built_release) struct built t;

	build(&t);
	t.tree.n_children = 1;
	cr_expect_not(complete(&t.tree));
	cr_expect(strstr(rx_err_text(&err), "directory 'a' of record 0"), "%s", rx_err_text(&err));
	t.tree.n_children = 2;
	cr_expect(complete(&t.tree), "%s", rx_err_text(&err));
	t.children[1] = RX_VIEW("\x1a\x01");
	cr_expect_not(complete(&t.tree));
	cr_expect_not(complete(&(struct wire_tree){ 0 }), "no root");
	cr_expect_not(sorted(&(struct wire_tree){ 0 }));
	rx_err_reset(&err);
	t.children[1] = rx_view_of(&t.a);
	cr_expect_not(wire_tree_check_complete(&t.tree, DIGEST_BLAKE3, &err));
	cr_expect_eq(err.code, RX_EDIGEST, "what cannot be computed is said");
}

Test(wire_tree, rule_26_a_sorted_tree_is_records_and_nothing_else)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
	RX_CLEANUP(built_release) struct built b;
	struct wire_tree t;

	build(&b);
	wire_tree_pack(&b.tree, &out);
	cr_assert(wire_tree_unpack(&arena, rx_view_of(&out), &t, &err));
	cr_expect(t.has_root && t.n_children == 2 && !t.marks);
	cr_expect(t.root.p > out.p && t.root.p < out.p + out.n, "rule 21: the very bytes");
	cr_expect(rx_view_eq(t.root, b.tree.root));
	cr_expect(sorted(&t));
	rx_buf_add(&out, "\x18\x01", 2);
	cr_assert(wire_tree_unpack(&arena, rx_view_of(&out), &t, &err));
	cr_expect(complete(&t) && !sorted(&t));
	/* children first */
	cr_assert(wire_tree_unpack(&arena, RX_VIEW("\x12\x00\x0a\x00"), &t, &err));
	cr_expect_not(sorted(&t));
	rx_err_reset(&err);
	cr_expect_not(wire_tree_unpack(&arena, RX_VIEW("\x0a\x00\x0a\x00"), &t, &err),
		      "rule 2: two roots");
	rx_err_reset(&err);
	cr_expect_not(wire_tree_unpack(&arena, RX_VIEW("\x0a\x01"), &t, &err));
}

/* Actions and commands. */

static struct action action;

static bool reads_command(struct rx_view bytes)
{
	rx_err_reset(&err);
	action = (struct action){ 0 };
	return wire_command_unpack(&arena, bytes, &action, &err);
}

static const char *command_bytes(const struct action *a, enum wire_outputs o, size_t *n)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };

	wire_command_pack(a, o, &out);
	*n = out.n;
	return arena_copy(&arena, out.p, out.n);
}

Test(wire_action, rule_4_empty_strings_are_written_where_they_count)
{
	const char *argv[] = { "", "x", "" };
	struct action_pair env[] = { { "A", "" } };
	struct action a = { .argv = argv, .n_argv = 3, .env = env, .n_env = 1, .cwd = "" };
	size_t n;
	const char *bytes = command_bytes(&a, WIRE_OUTPUT_PATHS, &n);

	/* three arguments; a variable with a name alone; no working_directory */
	cr_assert(rx_view_eq((struct rx_view){ bytes, n }, RX_VIEW("\x0a\x00\x0a\x01"
								   "x"
								   "\x0a\x00\x12\x03\x0a\x01"
								   "A")));
	cr_assert(reads_command((struct rx_view){ bytes, n }), "%s", rx_err_text(&err));
	cr_expect(action.n_argv == 3 && !*action.argv[0] && !*action.argv[2]);
	cr_expect(action.n_env == 1 && !*action.env[0].value);
}

Test(wire_action, rule_131_which_output_fields_are_written)
{
	const char *files[] = { "f" }, *dirs[] = { "d" };
	struct action a = { .output_files = files,
			    .n_output_files = 1,
			    .output_directories = dirs,
			    .n_output_directories = 1 };
	struct rx_view bytes;

	bytes.p = command_bytes(&a, WIRE_OUTPUT_PATHS, &bytes.n);
	cr_expect(rx_view_eq(bytes, RX_VIEW("\x3a\x01"
					    "d"
					    "\x3a\x01"
					    "f")));
	bytes.p = command_bytes(&a, WIRE_OUTPUT_BOTH, &bytes.n);
	cr_expect(rx_view_eq(bytes, RX_VIEW("\x1a\x01"
					    "f"
					    "\x22\x01"
					    "d"
					    "\x3a\x01"
					    "d"
					    "\x3a\x01"
					    "f")));
	bytes.p = command_bytes(&a, WIRE_OUTPUT_AS_IS, &bytes.n);
	cr_expect(rx_view_eq(bytes, RX_VIEW("\x1a\x01"
					    "f"
					    "\x22\x01"
					    "d")));
	/* what is in both is written once */
	a.output_paths = files;
	a.n_output_paths = 1;
	bytes.p = command_bytes(&a, WIRE_OUTPUT_PATHS, &bytes.n);
	cr_expect(rx_view_eq(bytes, RX_VIEW("\x3a\x01"
					    "d"
					    "\x3a\x01"
					    "f")));
}

Test(wire_action, rule_132_output_paths_are_relative_and_clean)
{
	static const char *const bad[] = { "/a", "a/", "a//b", "./a", "a/..", "..", ".", "" };

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		for (int field = 3; field <= 7; field += field == 3 ? 1 : 3) {
			char bytes[16] = { (char)(field << 3 | 2), (char)strlen(bad[i]) };

			memcpy(bytes + 2, bad[i], strlen(bad[i]));
			cr_assert(reads_command((struct rx_view){ bytes, 2 + strlen(bad[i]) }));
			cr_expect_eq(!(action.marks & MARK_OUTPUT_PATH), field == 4 && !*bad[i],
				     "'%s' in field %d", bad[i], field);
		}
	}
	cr_assert(reads_command(RX_VIEW("\x3a\x03"
					"a/b")));
	cr_expect_eq(action.marks, 0);
}

Test(wire_action, rule_134_the_working_directory_is_below_the_root)
{
	cr_assert(reads_command(RX_VIEW("\x32\x02"
					"/a")));
	cr_expect_eq(action.marks, MARK_WORKING_DIRECTORY);
	cr_assert(reads_command(RX_VIEW("\x32\x04"
					"a/..")));
	cr_expect_eq(action.marks, MARK_WORKING_DIRECTORY);
	cr_assert(reads_command(RX_VIEW("\x32\x03"
					"a/b")));
	cr_expect_eq(action.marks, 0);
	cr_expect_str_eq(action.cwd, "a/b");
	cr_assert(reads_command((struct rx_view){ 0 }));
	cr_expect_str_eq(action.cwd, "");
}

Test(wire_action, rule_145_the_platform_is_in_command_and_action_alike)
{
	struct action_pair platform[] = { { "a", "b" } };
	struct action a = { .platform = platform, .n_platform = 1, .has_platform = true };
	struct rx_view bytes;

	bytes.p = command_bytes(&a, WIRE_OUTPUT_PATHS, &bytes.n);
	cr_expect(rx_view_eq(bytes, RX_VIEW("\x2a\x08\x0a\x06\x0a\x01"
					    "a"
					    "\x12\x01"
					    "b")));
	bytes.p = command_bytes(&a, WIRE_OUTPUT_AS_IS, &bytes.n);
	cr_expect_eq(bytes.n, 0, "a command that had none stays without");
	a.has_command_platform = true;
	bytes.p = command_bytes(&a, WIRE_OUTPUT_PATHS, &bytes.n);
	cr_expect(rx_view_eq(bytes, RX_VIEW("\x2a\x00")), "rule 3: set but empty");
}

Test(wire_action, rule_13_a_name_twice_in_the_environment_is_marked)
{
	cr_assert(reads_command(RX_VIEW("\x12\x03\x0a\x01"
					"a"
					"\x12\x03\x0a\x01"
					"a")));
	cr_expect_eq(action.marks, MARK_DUPLICATE);
}

Test(wire_action, rule_16_a_platform_name_may_repeat_with_another_value)
{
	cr_assert(
		reads_command(RX_VIEW("\x2a\x0c\x0a\x04\x0a\x00\x12\x00\x0a\x04\x0a\x00\x12\x00")));
	cr_expect(action.marks & MARK_DUPLICATE && action.marks & MARK_ENCODING);
	cr_assert(reads_command(RX_VIEW("\x2a\x10\x0a\x06\x0a\x01"
					"a"
					"\x12\x01"
					"a"
					"\x0a\x06\x0a\x01"
					"a"
					"\x12\x01"
					"b")));
	cr_expect_eq(action.marks, 0);
}

Test(wire_action, rule_139_an_unknown_directory_format_is_tree_only)
{
	cr_assert(reads_command(RX_VIEW("\x48\x07")));
	cr_expect_eq(action.output_format, OUTPUT_TREE_ONLY);
	cr_expect(action.marks, "it would not be written back");
	cr_assert(reads_command(RX_VIEW("\x48\x02")));
	cr_expect_eq(action.output_format, OUTPUT_TREE_AND_DIRECTORY);
}

Test(wire_action, rule_19_an_action_needs_both_digests)
{
	static const char only_command[] = "\x0a\x44\x0a\x40" A "\x10\x01";

	action = (struct action){ .do_not_cache = true };
	cr_expect_not(wire_action_unpack(&arena, RX_VIEW(DIGEST2), &action, &err));
	cr_expect(strstr(rx_err_text(&err), "Action.command_digest: is missing"));
	rx_err_reset(&err);
	cr_expect_not(wire_action_unpack(&arena, RX_VIEW(only_command), &action, &err));
	cr_expect(action.do_not_cache && !digest_is_set(&action.command_digest),
		  "outputs are untouched");
}

Test(wire_action, rule_28_digests_are_of_the_function_of_the_action)
{
	static const char both[] = "\x0a\x44\x0a\x40" A "\x10\x01" DIGEST2;

	action = (struct action){ 0 };
	cr_assert(wire_action_unpack(&arena, RX_VIEW(both), &action, &err));
	cr_expect_eq(action.input_root.function, DIGEST_SHA256);
	action = (struct action){ .digest.function = DIGEST_SHA256TREE };
	cr_assert(wire_action_unpack(&arena, RX_VIEW(both), &action, &err));
	cr_expect_eq(action.input_root.function, DIGEST_SHA256TREE);
	cr_expect_eq(action.command_digest.function, DIGEST_SHA256TREE);
}

Test(wire_action, rule_116_a_timeout_is_a_duration)
{
	static const char *const bad[] = { "\x32\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
					   "\x32\x06\x10\x80\x94\xeb\xdc\x03" };

	for (size_t i = 0; i < RX_COUNT(bad); i++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { 0 };

		rx_buf_add_str(&bytes, "\x0a\x44\x0a\x40" A "\x10\x01" DIGEST2);
		rx_buf_add_str(&bytes, bad[i]);
		cr_expect_not(wire_action_unpack(&arena, rx_view_of(&bytes), &action, &err));
		cr_expect(strstr(rx_err_text(&err), "Action.timeout"), "%s", rx_err_text(&err));
		rx_err_reset(&err);
	}
}

/* Results. */

static struct result result;

static bool result_round(const struct result *r, unsigned links)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };

	wire_result_pack(r, links, &out);
	rx_err_reset(&err);
	return wire_result_unpack(&arena, arena_view(&arena, rx_view_of(&out)), DIGEST_SHA256,
				  &result, &err);
}

static bool takes_path(const char *path, enum node_kind kind)
{
	struct result_output o = {
		.path = path, .kind = kind, .digest = some_digest(1), .target = "t"
	};

	return result_round(&(struct result){ .outputs = &o, .n_outputs = 1 }, WIRE_LINKS_NEW);
}

Test(wire_result, rule_144_paths_stay_below_the_working_directory)
{
	static const char *const bad[] = { "/a",   "..", "../",  "../.", "a/../b",
					   "a/..", "a/", "a//b", "./a",  "." };

	for (enum node_kind kind = NODE_FILE; kind <= NODE_SYMLINK; kind++) {
		for (size_t i = 0; i < RX_COUNT(bad); i++)
			cr_expect_not(takes_path(bad[i], kind), "'%s'", bad[i]);
		cr_expect(takes_path("a/b", kind), "%s", rx_err_text(&err));
		cr_expect_eq(result.marks, 0);
		/* beside the working directory: where that is, only the Command tells */
		cr_expect(takes_path("../a", kind), "%s", rx_err_text(&err));
		cr_expect_eq(result.marks, MARK_OUTPUT_PATH);
		cr_expect_eq(takes_path("", kind), kind == NODE_DIRECTORY,
			     "only a directory may be the working directory");
	}
}

Test(wire_result, rule_137_links_of_old_and_new_fields_are_one)
{
	struct result_output o = { .path = "l", .kind = NODE_SYMLINK, .target = "t" };
	struct result r = { .outputs = &o, .n_outputs = 1 };

	for (unsigned links = WIRE_LINKS_NEW; links <= (WIRE_LINKS_NEW | WIRE_LINKS_OLD); links++) {
		cr_assert(result_round(&r, links), "%s", rx_err_text(&err));
		cr_assert_eq(result.n_outputs, 1);
		cr_expect_eq(result.outputs[0].kind, NODE_SYMLINK);
		cr_expect_str_eq(result.outputs[0].target, "t");
	}
	/* output_file_symlinks and output_directory_symlinks, equal and then not */
	rx_err_reset(&err);
	cr_expect(wire_result_unpack(&arena,
				     RX_VIEW("\x52\x06\x0a\x01"
					     "l"
					     "\x12\x01"
					     "t"
					     "\x5a\x06\x0a\x01"
					     "l"
					     "\x12\x01"
					     "t"),
				     DIGEST_SHA256, &result, &err));
	cr_expect_eq(result.n_outputs, 1);
	cr_expect_not(wire_result_unpack(&arena,
					 RX_VIEW("\x52\x06\x0a\x01"
						 "l"
						 "\x12\x01"
						 "t"
						 "\x5a\x06\x0a\x01"
						 "l"
						 "\x12\x01"
						 "u"),
					 DIGEST_SHA256, &result, &err));
}

Test(wire_result, rule_137_a_path_is_one_thing)
{
	struct result_output o[2] = {
		{ .path = "p", .kind = NODE_FILE, .digest = some_digest(1) },
		{ .path = "p", .kind = NODE_FILE, .digest = some_digest(1) },
	};
	struct result r = { .outputs = o, .n_outputs = 2 };

	cr_expect(result_round(&r, WIRE_LINKS_NEW) && result.n_outputs == 1);
	o[1].digest = some_digest(2);
	cr_expect_not(result_round(&r, WIRE_LINKS_NEW));
	o[1].digest = o[0].digest;
	o[1].is_executable = true;
	cr_expect_not(result_round(&r, WIRE_LINKS_NEW));
	o[1] = (struct result_output){ .path = "p", .kind = NODE_SYMLINK, .target = "t" };
	cr_expect_not(result_round(&r, WIRE_LINKS_NEW));
}

Test(wire_result, rules_139_and_140_a_directory_has_a_tree_or_a_root)
{
	struct result_output o = { .path = "d", .kind = NODE_DIRECTORY, .topological = true };
	struct result r = { .outputs = &o, .n_outputs = 1 };

	cr_expect_not(result_round(&r, 0), "neither");
	o.tree_digest = some_digest(1);
	cr_expect(result_round(&r, 0) && !digest_is_set(&result.outputs[0].digest) &&
		  result.outputs[0].topological);
	o.digest = some_digest(2);
	cr_expect(result_round(&r, 0) && digest_eq(&result.outputs[0].digest, &o.digest) &&
		  digest_eq(&result.outputs[0].tree_digest, &o.tree_digest));
	o.tree_digest = (struct digest){ 0 };
	cr_expect(result_round(&r, 0) && digest_is_set(&result.outputs[0].digest));
}

Test(wire_result, rule_141_raw_output_and_digests_are_independent)
{
	struct result r = { .stdout_raw = RX_VIEW("out\0x"), .stderr_digest = some_digest(1) };

	cr_assert(result_round(&r, 0));
	cr_expect(rx_view_eq(result.stdout_raw, r.stdout_raw));
	cr_expect(!digest_is_set(&result.stdout_digest) && !result.stderr_raw.n);
	cr_expect(digest_eq(&result.stderr_digest, &r.stderr_digest));
}

Test(wire_result, rule_142_inlined_content_has_the_digest_beside_it)
{
	struct result_output o = { .path = "f", .kind = NODE_FILE, .contents = RX_VIEW("tool") };
	struct result r = { .outputs = &o, .n_outputs = 1 };

	digest_of(DIGEST_SHA256, "tool", 4, &o.digest);
	cr_expect(result_round(&r, 0) && rx_view_eq_str(result.outputs[0].contents, "tool"));
	o.contents = RX_VIEW("fool");
	cr_expect_not(result_round(&r, 0));
	cr_expect_eq(err.code, RX_EDIGEST);
	o.contents = RX_VIEW("tools");
	cr_expect_not(result_round(&r, 0));
	o.contents = (struct rx_view){ 0 };
	cr_expect(result_round(&r, 0) && !result.outputs[0].contents.n, "not inlined");
}

Test(wire_result, rule_31_digests_are_of_the_function_of_the_action)
{
	cr_expect_not(wire_result_unpack(&arena,
					 RX_VIEW("\x32\x2c\x0a\x28"
						 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
						 "\x10\x01"),
					 DIGEST_SHA256, &result, &err));
	cr_expect(strstr(rx_err_text(&err), "ActionResult.stdout_digest"), "%s", rx_err_text(&err));
}

Test(wire_result, rule_5_negative_numbers_take_ten_bytes)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 }, tree = { 0 };
	struct file_node file = { .name = "a",
				  .digest = some_digest(1),
				  .props = { .present = true, .has_mtime = true, .mtime_s = -1 } };
#define MINUS_1 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"

	wire_result_pack(&(struct result){ .exit_code = -1 }, 0, &out);
	cr_assert(rx_view_eq(rx_view_of(&out), RX_VIEW("\x20" MINUS_1)));
	cr_assert(wire_result_unpack(&arena, rx_view_of(&out), DIGEST_SHA256, &result, &err));
	cr_expect_eq(result.exit_code, -1);
	/* a modification time before 1970, at the end of the only file */
	wire_directory_pack(&(struct directory){ .files = &file, .n_files = 1 }, &tree);
	cr_assert_geq(tree.n, 13);
	cr_expect(rx_view_eq((struct rx_view){ tree.p + tree.n - 13, 13 },
			     RX_VIEW("\x12\x0b\x08" MINUS_1)));
	cr_assert(reads(rx_view_of(&tree)), "%s", rx_err_text(&err));
	cr_expect_eq(dir.files[0].props.mtime_s, -1);
	cr_expect_eq(dir.marks, 0);
}

Test(wire_result, everything_survives_the_way_there_and_back)
{
	struct node_property prop = { "k", "v" };
	struct result_output o = {
		.path = "f",
		.kind = NODE_FILE,
		.digest = some_digest(1),
		.is_executable = true,
		.props = { .present = true,
			   .properties = &prop,
			   .n = 1,
			   .has_mtime = true,
			   .mtime_s = -1,
			   .mtime_ns = 5,
			   .has_mode = true,
			   .mode = 0755 },
	};
	struct result r = {
		.outputs = &o,
		.n_outputs = 1,
		.exit_code = -1,
		.worker = "w",
		.times = { .queued = 1,
			   .output_completed = -1500000000,
			   .execution_start = INT64_MAX },
	};

	cr_assert(result_round(&r, 0), "%s", rx_err_text(&err));
	cr_expect_eq(result.exit_code, -1);
	cr_expect_str_eq(result.worker, "w");
	cr_expect_eq(result.times.queued, 1);
	cr_expect_eq(result.times.output_completed, -1500000000);
	cr_expect_eq(result.times.execution_start, INT64_MAX);
	cr_expect_eq(result.times.input_start, 0);
	cr_expect(result.outputs[0].is_executable);
	cr_expect_eq(result.outputs[0].props.mtime_s, -1);
	cr_expect_eq(result.outputs[0].props.mode, 0755);
	cr_expect_str_eq(result.outputs[0].props.properties[0].value, "v");
}

Test(wire_result, the_cache_requests_go_both_ways)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 }, bare = { 0 };
	const char *inlined[] = { "a", "b" };
	struct wire_get_result get = { .instance = "i",
				       .action = some_digest(1),
				       .inline_stderr = true,
				       .inline_files = inlined,
				       .n_inline_files = 2 },
			       got;
	struct wire_update_result put = { .instance = "i",
					  .action = some_digest(1),
					  .result.exit_code = 3 },
				  stored;

	wire_get_result_pack(&get, &out);
	cr_assert(wire_get_result_unpack(&arena, rx_view_of(&out), &got, &err));
	cr_expect_str_eq(got.instance, "i");
	cr_expect(digest_eq(&got.action, &get.action) && got.inline_stderr && !got.inline_stdout);
	cr_expect_eq(got.n_inline_files, 2);
	rx_buf_reset(&out);
	wire_update_result_pack(&put, WIRE_LINKS_NEW, &out);
	cr_assert(wire_update_result_unpack(&arena, rx_view_of(&out), &stored, &err));
	wire_result_pack(&put.result, WIRE_LINKS_NEW, &bare);
	cr_expect(rx_view_eq(stored.raw_result, rx_view_of(&bare)));
	cr_expect_eq(stored.result.exit_code, 3);
	/* a result in two pieces is the pieces joined */
	rx_buf_add(&out, "\x1a\x03\x2a\x01o", 5);
	cr_assert(wire_update_result_unpack(&arena, rx_view_of(&out), &stored, &err));
	cr_expect_eq(stored.raw_result.n, bare.n + 3);
	cr_expect(stored.result.exit_code == 3 && rx_view_eq_str(stored.result.stdout_raw, "o"));
	cr_expect_not(wire_get_result_unpack(&arena, RX_VIEW(""), &got, &err), "rule 19");
}
