/* test_action: canonical order of actions, directories and results. */
#include <criterion/criterion.h>

#include "result.h"

static struct arena arena;

static void release(void)
{
	arena_release(&arena);
}

TestSuite(action, .fini = release);

static struct action canonical(struct action a)
{
	action_canonicalize(&arena, &a);
	return a;
}

Test(action, rule_13_environment_is_sorted_and_the_last_of_a_name_counts)
{
	struct action_pair env[] = {
		{ "b", "1" }, { "a", "1" }, { "B", "1" }, { "a", "2" }, { "a", "" }
	};
	struct action a = canonical((struct action){ .env = env, .n_env = 5 });

	cr_assert_eq(a.n_env, 3);
	cr_expect_str_eq(a.env[0].name, "B");
	cr_expect_str_eq(a.env[1].name, "a");
	cr_expect_str_eq(a.env[1].value, "");
	cr_expect_str_eq(a.env[2].name, "b");
	cr_expect_str_eq(env[0].name, "b", "the source is shared and stays as it is");
}

Test(action, rule_14_output_lists_are_sorted_without_duplicates)
{
	const char *paths[] = { "out/a", "out", "out-2", "out" };
	const char *files[] = { "b", "b" }, *dirs[] = { "z", "" };
	struct action a = canonical((struct action){
		.output_paths = paths,
		.n_output_paths = 4,
		.output_files = files,
		.n_output_files = 2,
		.output_directories = dirs,
		.n_output_directories = 2,
	});

	cr_assert_eq(a.n_output_paths, 3);
	cr_expect_str_eq(a.output_paths[0], "out");
	cr_expect_str_eq(a.output_paths[1], "out-2");
	cr_expect_str_eq(a.output_paths[2], "out/a");
	cr_expect_eq(a.n_output_files, 1);
	cr_expect_str_eq(a.output_directories[0], "");
	cr_expect_str_eq(paths[0], "out/a");
}

Test(action, rule_15_arguments_keep_their_order)
{
	const char *argv[] = { "z", "a", "z" }, *props[] = { "unix_mode", "mtime" };
	struct action a = canonical((struct action){ .argv = argv,
						     .n_argv = 3,
						     .output_node_properties = props,
						     .n_output_node_properties = 2 });

	cr_assert_eq(a.n_argv, 3);
	cr_expect_str_eq(a.argv[0], "z");
	cr_expect_str_eq(a.output_node_properties[0], "mtime");
}

Test(action, rule_16_platform_is_sorted_by_name_then_value)
{
	struct action_pair platform[] = {
		{ "ISA", "b" }, { "ISA", "a" }, { "A", "z" }, { "ISA", "b" }
	};
	struct action a = canonical(
		(struct action){ .platform = platform, .n_platform = 4, .has_platform = true });

	cr_assert_eq(a.n_platform, 3);
	cr_expect_str_eq(a.platform[0].name, "A");
	cr_expect_str_eq(a.platform[1].value, "a");
	cr_expect_str_eq(a.platform[2].value, "b");
}

Test(action, what_is_canonical_is_not_copied)
{
	const char *paths[] = { "a", "b" };
	struct action_pair env[] = { { "a", "1" }, { "b", "1" } };
	struct action a = canonical((struct action){
		.output_paths = paths, .n_output_paths = 2, .env = env, .n_env = 2 });

	cr_expect_eq(a.output_paths, paths);
	cr_expect_eq(a.env, env);
	canonical((struct action){ 0 });
}

Test(action, things_are_asked_by_name)
{
	struct action_pair v[] = { { "a", NULL }, { "b", "1" } };
	struct action a = { .env = v,
			    .n_env = 2,
			    .platform = v,
			    .n_platform = 2,
			    .requirements = v,
			    .n_requirements = 2 };

	cr_expect_str_eq(action_env(&a, "b"), "1");
	cr_expect_str_eq(action_platform(&a, "a"), "");
	cr_expect_str_eq(action_requirement(&a, "a"), "");
	cr_expect_null(action_requirement(&a, "c"));
	cr_expect_null(action_env(&(struct action){ 0 }, "a"));
}

Test(action, rule_8_directories_are_sorted_by_bytes)
{
	/* U+FF5E comes before U+1F600 in UTF-8 and behind it in UTF-16 */
	struct file_node files[] = {
		{ .name = "\U0001F600" }, { .name = "\uFF5E" }, { .name = "a" }, { .name = "B" }
	};
	struct directory_node dirs[] = { { .name = "b" }, { .name = "a" } };
	struct symlink_node links[] = { { .name = "y", .target = "t" },
					{ .name = "x", .target = "t" } };
	struct directory d = { .files = files,
			       .n_files = 4,
			       .dirs = dirs,
			       .n_dirs = 2,
			       .links = links,
			       .n_links = 2 };

	directory_sort(&d);
	cr_expect_str_eq(files[0].name, "B");
	cr_expect_str_eq(files[1].name, "a");
	cr_expect_str_eq(files[2].name, "\uFF5E");
	cr_expect_str_eq(files[3].name, "\U0001F600");
	cr_expect_str_eq(dirs[0].name, "a");
	cr_expect_str_eq(links[0].name, "x");
	directory_sort(&(struct directory){ 0 });
}

Test(action, rule_12_node_properties_are_sorted)
{
	struct node_property props[] = { { "b", "1" }, { "a", "2" }, { "a", "1" } };
	struct file_node file = { .name = "f",
				  .props = { .present = true, .properties = props, .n = 3 } };
	struct directory d = { .files = &file, .n_files = 1 };

	directory_sort(&d);
	cr_expect_str_eq(props[0].value, "1");
	cr_expect_str_eq(props[1].value, "2");
	cr_expect_str_eq(props[2].name, "b");
}

Test(action, results_are_found_and_sorted_by_path)
{
	struct result_output v[] = { { .path = "b" }, { .path = "" }, { .path = "a" } };
	struct result r = { .outputs = v, .n_outputs = 3 };

	cr_expect_eq(result_find(&r, "a"), &v[2]);
	cr_expect_null(result_find(&r, "c"));
	result_sort(&r);
	cr_expect_str_eq(v[0].path, "");
	cr_expect_str_eq(v[2].path, "b");
	result_sort(&(struct result){ 0 });
}
