/* test_yamldoc: small strict YAML that knows where everything stands. */
#include "yamldoc.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "file.h"

static struct yamldoc *parse(struct arena *a, const char *text)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct yamldoc *doc = NULL;

	cr_assert(yamldoc_parse(a, "t", rx_view_str(text), &doc, &err), "%s", rx_err_text(&err));
	return doc;
}

Test(yamldoc, trees_with_places)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	const struct yamldoc *d =
		parse(&a, "# rules\nname: x y\nlist:\n  - 'true'\n  - {k: \"v\\n\"}\n"
			  "block: |\n  one\n  two\nempty:\n");
	const struct yamldoc *list = yamldoc_get(d, "list");

	cr_assert_eq(d->type, YAMLDOC_MAP);
	cr_assert_eq(d->n, 4);
	cr_assert_eq(d->line, 2);
	cr_assert_eq(d->column, 1);
	cr_assert_str_eq(yamldoc_get(d, "name")->text, "x y");
	cr_assert(yamldoc_get(d, "name")->plain);
	cr_assert_eq(yamldoc_get(d, "name")->column, 7);
	cr_assert_eq(list->type, YAMLDOC_LIST);
	cr_assert_eq(list->n, 2);
	cr_assert_not(list->items[0].plain);
	cr_assert_eq(list->items[0].line, 4);
	cr_assert_eq(list->items[0].column, 5);
	cr_assert_str_eq(yamldoc_get(&list->items[1], "k")->text, "v\n");
	cr_assert_eq(d->keys[2].line, 6);
	cr_assert_str_eq(yamldoc_get(d, "block")->text, "one\ntwo\n");
	cr_assert_str_eq(yamldoc_get(d, "empty")->text, "");
	cr_assert_null(yamldoc_get(d, "absent"));
	cr_assert_null(yamldoc_get(list, "k"));
	cr_assert_null(yamldoc_get(NULL, "k"));
}

Test(yamldoc, nothing_is_an_empty_map)
{
	static const char *const empty[] = { "", "\n\n", "# only a comment\n" };

	for (size_t i = 0; i < RX_COUNT(empty); i++) {
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		const struct yamldoc *d = parse(&a, empty[i]);
		cr_assert_eq(d->type, YAMLDOC_MAP);
		cr_assert_eq(d->n, 0);
	}
}

static void refuse(const char *text, size_t n, enum rx_code code, const char *want)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct yamldoc *doc = NULL;

	cr_assert_not(yamldoc_parse(&a, "f.yaml", (struct rx_view){ text, n }, &doc, &err), "'%s'",
		      text);
	cr_assert_eq(err.code, code, "'%s': %s", text, rx_err_text(&err));
	cr_assert(rx_view_starts(rx_view_of(&err.msg), want), "'%s': %s, not %s", text,
		  rx_err_text(&err), want);
	cr_assert_null(doc);
}

Test(yamldoc, what_is_refused_and_where)
{
	static const char *const bad[][2] = {
		{ "a: 1\nb: &x 2\n", "f.yaml:2:4: anchors" },
		{ "a: &x [1]\n", "f.yaml:1:4: anchors" },
		{ "a: 1\nb: *a\n", "f.yaml:2:4: anchors" },
		{ "*a : 1\n", "f.yaml:1:1: anchors" },
		{ "a: !!int 1\n", "f.yaml:1:4: tags" },
		{ "- !x {}\n", "f.yaml:1:3: tags" },
		{ "a: 1\nb: 2\na: 3\n", "f.yaml:3:1: the key 'a'" },
		{ "a: {b: 1, 'b': 2}\n", "f.yaml:1:11: the key 'b'" },
		{ "? [x]\n: 1\n", "f.yaml:1:3: a key" },
		{ "? {x: 1}\n: 1\n", "f.yaml:1:3: a key" },
		{ "a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document" },
		{ "a: \"x\\0y\"\n", "f.yaml:1:4: NUL" },
		{ "a:\n  b: c: d\n", "f.yaml:2:" },
		{ "a: [1\n", "f.yaml:2:1:" },
		{ "a: 'x\n", "f.yaml:2:1:" },
		{ "a: 1\n\tb: 2\n", "f.yaml:2:" },
		{ "ok: 1\nb: \x01\n", "f.yaml:2:4:" },
		{ "ok: \xff\n", "f.yaml:1:5:" },
		{ "ok: \xc0\x80\n", "f.yaml:1:5:" },
	};

	for (size_t i = 0; i < RX_COUNT(bad); i++)
		refuse(bad[i][0], strlen(bad[i][0]), RX_EPARSE, bad[i][1]);
	refuse("a: \0b\n", 6, RX_EPARSE, "f.yaml:1:4:");
	refuse("\xff\xfe"
	       "a\0",
	       4, RX_EPARSE, "f.yaml:1:1:");
}

Test(yamldoc, duplicate_keys_among_many)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	for (int i = 0; i < 50; i++)
		rx_buf_addf(&b, "k%d: x\n", i);
	rx_buf_add_str(&b, "k7: y\n");
	refuse(b.p, b.n, RX_EPARSE, "f.yaml:51:1: the key 'k7'");
}

Test(yamldoc, limits)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { .max = RX_BUF_NO_MAX };
	RX_CLEANUP(arena_release) struct arena a = { 0 };

	for (int i = 0; i < YAMLDOC_MAX_DEPTH + 1; i++)
		rx_buf_add_char(&b, '[');
	size_t open = b.n;
	for (size_t i = 0; i < open; i++)
		rx_buf_add_char(&b, ']');
	cr_assert_not_null(parse(&a, rx_buf_str(&b)), "exactly the limit");
	rx_buf_insert(&b, 0, "[", 1);
	rx_buf_add_char(&b, ']');
	refuse(b.p, b.n, RX_ELIMIT, "f.yaml:1:66: nested");
	rx_buf_reset(&b);
	for (size_t i = 0; i < YAMLDOC_MAX_BYTES + 1ul; i++)
		rx_buf_add_char(&b, '#');
	refuse(b.p, b.n, RX_ELIMIT, "f.yaml: ");
	/* more values than allowed */
	rx_buf_reset(&b);
	rx_buf_add_char(&b, '[');
	for (size_t i = 0; i < YAMLDOC_MAX_NODES; i++)
		rx_buf_add_str(&b, "1,");
	rx_buf_add_char(&b, ']');
	refuse(b.p, b.n, RX_ELIMIT, "f.yaml:1:");
}

Test(yamldoc, truth_is_plain)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	const struct yamldoc *d =
		parse(&a, "[true, yes, on, false, no, off, 'true', True, 1, [], '']");
	bool v = false;

	for (size_t i = 0; i < 6; i++) {
		v = i >= 3;
		cr_assert(yamldoc_bool(&d->items[i], &v));
		cr_assert_eq(v, i < 3);
	}
	for (size_t i = 6; i < d->n; i++)
		cr_assert_not(yamldoc_bool(&d->items[i], &v));
	cr_assert_not(yamldoc_bool(NULL, &v));
}

Test(yamldoc, failures_of_meaning_name_the_place)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	const struct yamldoc *d = parse(&a, "a:\n  - x\n");

	cr_assert_not(yamldoc_fail(&err, "f", &yamldoc_get(d, "a")->items[0], "no '%s'", "x"));
	cr_assert_eq(err.code, RX_EUSAGE);
	cr_assert_str_eq(rx_err_text(&err), "f:2:5: no 'x'");
}

Test(yamldoc, loads_files)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *dir = NULL;
	struct yamldoc *d = NULL;

	cr_assert(file_temp_dir("/tmp", "remex-test-", &dir, &err));
	RX_CLEANUP(xfreep) char *path = path_join(dir, "f.yaml");
	cr_assert_not(yamldoc_load(&a, path, &d, &err));
	cr_assert_eq(err.code, RX_ENOENT);
	rx_err_reset(&err);
	cr_assert(file_write(AT_FDCWD, path, RX_VIEW("a: b\n"), 0600, &err));
	cr_assert(yamldoc_load(&a, path, &d, &err), "%s", rx_err_text(&err));
	cr_assert_str_eq(yamldoc_get(d, "a")->text, "b");
	cr_assert(file_remove_tree(AT_FDCWD, dir, &err));
}
