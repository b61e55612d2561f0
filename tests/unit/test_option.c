/* test_option: option tables: what they parse, refuse and print. */
#include <criterion/criterion.h>

#include "option.h"

struct values {
	bool flag, other, help;
	unsigned verbose, jobs;
	int32_t priority;
	const char *out;
	int64_t timeout_ms, size;
	struct opt_list inputs;
	int color;
};
static const struct opt_choice colors[] = { { "auto", 0 }, { "always", 1 }, { NULL, 0 } };

struct fixture {
	struct values v;
	struct opt table[16];
	struct opt_section sections[1];
	struct opt_parser p;
	struct rx_err err;
};

static bool parse(struct fixture *f, int argc, char *const *argv)
{
	const struct opt table[] = { OPT_FLAG('f', "flag", &f->v.flag, "a flag"),
				     OPT_FLAG('g', "other-flag", &f->v.other, "another"),
				     OPT_COUNT('v', "verbose", &f->v.verbose, "more"),
				     OPT_U32('j', "jobs", &f->v.jobs, "N", "how many"),
				     OPT_I32(0, "priority", &f->v.priority, "N", "may be negative"),
				     OPT_STR('o', "output", &f->v.out, "PATH", "where it goes"),
				     OPT_DURATION(0, "timeout", &f->v.timeout_ms, "how long"),
				     OPT_SIZE(0, "max-size", &f->v.size, "how much"),
				     OPT_LIST('i', "input", &f->v.inputs, "PATH", "what comes in"),
				     OPT_CHOICE(0, "color", &f->v.color, colors, "color"),
				     OPT_FLAG(0, "secret", &f->v.other, "not told",
					      .flags = OPT_HIDDEN),
				     OPT_FLAG('h', "help", &f->p.help, "this"),
				     OPT_END };

	memcpy(f->table, table, sizeof(table));
	f->sections[0] = (struct opt_section){ "Options", f->table };
	f->p.sections = f->sections;
	f->p.n_sections = 1;
	return opt_parse(&f->p, argc, argv, &f->err);
}

static void done(struct fixture *f)
{
	opt_parser_release(&f->p);
	opt_list_release(&f->v.inputs);
	rx_err_release(&f->err);
}

#define PARSE(f, ...)                                                                              \
	parse(&(f), (int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)),                     \
	      (char *[]){ __VA_ARGS__ })

Test(option, values_follow_or_stand_behind_equals)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "--output=a", "--jobs", "4", "-o", "b", "-oc", "--priority=-3",
			"--timeout=2s", "--max-size", "1KiB", "--color=always"));
	cr_assert_str_eq(f.v.out, "c");
	cr_assert_eq(f.v.jobs, 4);
	cr_assert_eq(f.v.priority, -3);
	cr_assert_eq(f.v.timeout_ms, 2000);
	cr_assert_eq(f.v.size, 1024);
	cr_assert_eq(f.v.color, 1);
	cr_assert(opt_given(&f.p, &f.v.out));
	cr_assert_not(opt_given(&f.p, &f.v.flag));
	done(&f);
}

Test(option, an_empty_value_is_a_value)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "--output="));
	cr_assert_str_eq(f.v.out, "");
	done(&f);
}

Test(option, a_value_may_look_like_an_option)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "-o", "--flag", "-i", "--"));
	cr_assert_str_eq(f.v.out, "--flag");
	cr_assert_str_eq(f.v.inputs.v[0], "--");
	cr_assert_not(f.v.flag);
	done(&f);
}

Test(option, short_flags_bundle)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "-fgvvj7"));
	cr_assert(f.v.flag && f.v.other);
	cr_assert_eq(f.v.verbose, 2);
	cr_assert_eq(f.v.jobs, 7);
	done(&f);
}

Test(option, lists_accumulate_and_commas_are_nothing_special)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "-i", "a,b", "--input=c"));
	cr_assert_eq(f.v.inputs.n, 2);
	cr_assert_str_eq(f.v.inputs.v[0], "a,b");
	done(&f);
}

Test(option, double_dash_ends_options)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "a", "--", "--flag", "--"));
	cr_assert_eq(f.p.operands.n, 3);
	cr_assert_str_eq(f.p.operands.v[1], "--flag");
	cr_assert_str_eq(f.p.operands.v[2], "--");
	cr_assert_not(f.v.flag);
	done(&f);
}

Test(option, operands_and_options_mix_unless_operands_are_foreign)
{
	struct fixture f = { 0 }, foreign = { .p = { .operand_ends = true } };

	cr_assert(PARSE(f, "a", "--flag", "-"));
	cr_assert(f.v.flag);
	cr_assert_eq(f.p.operands.n, 2);
	cr_assert(PARSE(foreign, "-f", "gcc", "-o", "x"));
	cr_assert_eq(foreign.p.operands.n, 3);
	cr_assert_null(foreign.v.out);
	done(&f);
	done(&foreign);
}

Test(option, abbreviations_are_refused_with_a_hint)
{
	struct fixture f = { 0 };

	cr_assert_not(PARSE(f, "--out=a"));
	cr_assert_eq(f.err.code, RX_EUSAGE);
	cr_assert_str_eq(rx_err_text(&f.err), "unknown option '--out'");
	cr_assert_str_eq(rx_buf_str(&f.err.hint), "did you mean '--output'?");
	done(&f);
}

Test(option, hidden_options_work_but_are_not_suggested)
{
	struct fixture f = { 0 }, g = { 0 };

	cr_assert(PARSE(f, "--secret"));
	cr_assert(f.v.other);
	cr_assert_not(PARSE(g, "--secre"));
	cr_assert_eq(g.err.hint.n, 0);
	done(&f);
	done(&g);
}

static const struct bad {
	const char *arg, *says;
} bads[] = {
	{ "--jobs=x", "--jobs: 'x' is not a number from 0" },
	{ "--jobs=", "--jobs: '' is not a number from 0" },
	{ "--jobs=-1", "--jobs: '-1' is not a number from 0" },
	{ "--jobs=+1", "--jobs: '+1' is not a number from 0" },
	{ "--jobs= 1", "--jobs: ' 1' is not a number from 0" },
	{ "--jobs=1x", "--jobs: '1x' is not a number from 0" },
	{ "--jobs=4294967296", "--jobs: '4294967296' is not a number from 0" },
	{ "-jx", "-j: 'x' is not a number from 0" },
	{ "--priority=2147483648", "--priority: '2147483648' is not a number" },
	{ "--priority=--1", "--priority: '--1' is not a number" },
	{ "--color=blue", "--color: 'blue' is not one of auto or always" },
	{ "--flag=1", "option '--flag' takes no value" },
	{ "--output", "option '--output' needs a value" },
	{ "-o", "option '-o' needs a value" },
	{ "-z", "unknown option '-z'" },
	{ "-fz", "unknown option '-z'" },
	{ "--=x", "unknown option '--'" },
};

Test(option, mistakes_name_the_option)
{
	for (size_t i = 0; i < RX_COUNT(bads); i++) {
		struct fixture f = { 0 };

		cr_assert_not(PARSE(f, (char *)bads[i].arg), "%s", bads[i].arg);
		cr_assert_eq(f.err.code, RX_EUSAGE);
		cr_assert_str_eq(rx_err_text(&f.err), bads[i].says);
		done(&f);
	}
}

Test(option, bad_durations_and_sizes_are_usage_errors)
{
	static const char *const args[] = { "--timeout=1",           "--timeout=1x",
					    "--timeout=s",           "--timeout=-1s",
					    "--max-size=1KB?",       "--max-size=-1",
					    "--max-size=99999999TiB" };

	for (size_t i = 0; i < RX_COUNT(args); i++) {
		struct fixture f = { 0 };

		cr_assert_not(PARSE(f, (char *)args[i]), "%s", args[i]);
		cr_assert_eq(f.err.code, RX_EUSAGE, "%s", args[i]);
		done(&f);
	}
}

Test(option, help_stops_parsing)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "-h", "--no-such-thing"));
	cr_assert(f.p.help);
	done(&f);
}

Test(option, names_in_the_environment)
{
	struct opt o = { .name = "tls-ca" };
	char *name = opt_env_name(&o);

	cr_assert_str_eq(name, "REMEX_TLS_CA");
	free(name);
}

Test(option, flags_have_values_in_the_environment)
{
	struct fixture f = { 0 };

	cr_assert(PARSE(f, "-f"));
	cr_assert(opt_set(&f.table[0], "false", "REMEX_FLAG", &f.err));
	cr_assert_not(f.v.flag);
	cr_assert(opt_set(&f.table[2], "2", "REMEX_VERBOSE", &f.err));
	cr_assert_eq(f.v.verbose, 2);
	cr_assert_not(opt_set(&f.table[0], "maybe", "REMEX_FLAG", &f.err));
	cr_assert_str_eq(rx_err_text(&f.err), "REMEX_FLAG: 'maybe' is neither true nor false");
	done(&f);
}

Test(option, listing_and_help_leave_hidden_ones_out)
{
	struct fixture f = { 0 };
	struct rx_buf listing = { 0 }, help = { 0 };

	cr_assert(PARSE(f, "-f"));
	opt_add_listing(&f.p, &listing);
	opt_add_help(&f.p, &help);
	cr_assert(strstr(rx_buf_str(&listing), "option\t--jobs\t-j\tN\t\thow many\n"));
	cr_assert(strstr(rx_buf_str(&listing), "option\t--color\t\tCHOICE\tauto|always\tcolor\n"));
	cr_assert_null(strstr(rx_buf_str(&listing), "--secret"));
	cr_assert_null(strstr(rx_buf_str(&help), "--secret"));
	cr_assert(strstr(rx_buf_str(&help), "  -j, --jobs N              how many\n"));
	rx_buf_release(&listing);
	rx_buf_release(&help);
	done(&f);
}

Test(option, near_names)
{
	static const char *const names[] = { "output", "input", "input-list" };

	cr_assert_str_eq(opt_did_you_mean("ouptut", names, 3), "output");
	cr_assert_str_eq(opt_did_you_mean("inptu", names, 3), "input");
	cr_assert_null(opt_did_you_mean("x", names, 3));
	cr_assert_null(opt_did_you_mean("", names, 3));
}
