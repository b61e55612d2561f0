/* option: option tables: one table of a command gives parsing, -h, completion and the check of its
 * man page.
 *
 *	struct opts { const char *out; unsigned jobs; } o = { .jobs = 16 };
 *	const struct opt table[] = {
 *		OPT_STR('o', "output", &o.out, "PATH", "where it goes"),
 *		OPT_U32('j', "jobs", &o.jobs, "N", "transfers in flight", .flags = OPT_SETTING),
 *		OPT_END
 *	};
 *	struct opt_section sections[] = { { "Options", table } };
 *	struct opt_parser p = { .sections = sections, .n_sections = 1 };
 *	if (!opt_parse(&p, argc, argv, &err)) ...
 *
 * Long options take "--name=value" or "--name value", are never abbreviated (scripts would break
 * with the next option); short flags bundle; "--" ends options; the last of a repeated scalar wins.
 * Values are borrowed from argv. */
#pragma once

#include "err.h"

enum opt_kind {
	OPT_KIND_END,
	OPT_KIND_FLAG,
	OPT_KIND_COUNT,
	OPT_KIND_STR,
	OPT_KIND_U32,
	OPT_KIND_I32,
	OPT_KIND_DURATION, /* milliseconds */
	OPT_KIND_SIZE,     /* bytes */
	OPT_KIND_LIST,
	OPT_KIND_CHOICE,
	OPT_KIND_CALLBACK
};

#define OPT_ENV     1u /* REMEX_<OPTION> in the environment gives it too */
#define OPT_SETTING 2u /* and so do the settings files */
#define OPT_PAIRS   4u /* a list of NAME=VALUE: layers are merged by NAME */
#define OPT_HIDDEN  8u /* not in help, completion and man page */

struct opt_list {
	const char **v;
	size_t n, cap;
};
struct opt_choice {
	const char *name;
	int value;
};
struct opt {
	enum opt_kind kind;
	char letter; /* 0 = none */
	const char *name, *arg, *help;
	void *to;
	const struct opt_choice *choices; /* ended by a NULL name */
	bool (*parse)(void *to, const char *value, struct rx_err *err);
	unsigned flags;
};
struct opt_section {
	const char *title;
	const struct opt *opts; /* ended by OPT_END */
};
struct opt_parser {
	const struct opt_section *sections;
	size_t n_sections;
	bool operand_ends; /* the first operand ends options: what follows is another program's */
	/* results */
	struct opt_list operands;
	bool help; /* an option table's -h points here: everything behind it is moot */
	const struct opt **given; /* which options came */
	size_t n_given, cap_given;
};

RX_MUST_USE bool opt_parse(struct opt_parser *p, int argc, char *const *argv, struct rx_err *err);
void opt_parser_release(struct opt_parser *p);
/* Gives option o a value; `from` is how messages call its origin ("--jobs", "REMEX_JOBS"). */
RX_MUST_USE bool opt_set(const struct opt *o, const char *value, const char *from,
			 struct rx_err *err);
bool opt_given(const struct opt_parser *p, const void *to);
/* for (const struct opt *o = NULL; (o = opt_next(p, o));) visits every option of every section. */
const struct opt *opt_next(const struct opt_parser *p, const struct opt *o);
bool opt_takes_value(const struct opt *o);
/* "REMEX_DIGEST_FUNCTION"; the caller frees. */
char *opt_env_name(const struct opt *o);
void opt_list_add(struct opt_list *l, const char *value);
void opt_list_release(struct opt_list *l);
/* The nearest of n names, or NULL when none is near. */
const char *opt_did_you_mean(const char *word, const char *const *names, size_t n);
/* What -h prints for the sections; listing: one line an option for completion and tests:
 * "option\t--name\t-n\tARG\tchoice|choice\thelp". */
void opt_add_help(const struct opt_parser *p, struct rx_buf *out);
void opt_add_listing(const struct opt_parser *p, struct rx_buf *out);

/* `1 ? (to) : (T *)0` draws a warning when the pointer is of another type. */
#define OPT_TYPED_(k, l, nm, ptr, type, argname, text, ...)                                        \
	{                                                                                          \
		.kind = (k), .letter = (l), .name = (nm), .arg = (argname), .help = (text),        \
		.to = 1 ? (ptr) : (type *)0, __VA_ARGS__                                           \
	}
#define OPT_FLAG(l, n, ptr, help, ...)                                                             \
	OPT_TYPED_(OPT_KIND_FLAG, l, n, ptr, bool, NULL, help, __VA_ARGS__)
#define OPT_COUNT(l, n, ptr, help, ...)                                                            \
	OPT_TYPED_(OPT_KIND_COUNT, l, n, ptr, unsigned, NULL, help, __VA_ARGS__)
#define OPT_STR(l, n, ptr, arg, help, ...)                                                         \
	OPT_TYPED_(OPT_KIND_STR, l, n, ptr, const char *, arg, help, __VA_ARGS__)
#define OPT_U32(l, n, ptr, arg, help, ...)                                                         \
	OPT_TYPED_(OPT_KIND_U32, l, n, ptr, unsigned, arg, help, __VA_ARGS__)
#define OPT_I32(l, n, ptr, arg, help, ...)                                                         \
	OPT_TYPED_(OPT_KIND_I32, l, n, ptr, int32_t, arg, help, __VA_ARGS__)
#define OPT_DURATION(l, n, ptr, help, ...)                                                         \
	OPT_TYPED_(OPT_KIND_DURATION, l, n, ptr, int64_t, "DUR", help, __VA_ARGS__)
#define OPT_SIZE(l, n, ptr, help, ...)                                                             \
	OPT_TYPED_(OPT_KIND_SIZE, l, n, ptr, int64_t, "BYTES", help, __VA_ARGS__)
#define OPT_LIST(l, n, ptr, arg, help, ...)                                                        \
	OPT_TYPED_(OPT_KIND_LIST, l, n, ptr, struct opt_list, arg, help, __VA_ARGS__)
#define OPT_CHOICE(l, n, ptr, list, help, ...)                                                     \
	OPT_TYPED_(OPT_KIND_CHOICE, l, n, ptr, int, NULL, help, .choices = (list), __VA_ARGS__)
#define OPT_CALLBACK(l, n, ptr, fn, arg, help, ...)                                                \
	OPT_TYPED_(OPT_KIND_CALLBACK, l, n, ptr, void, arg, help, .parse = (fn), __VA_ARGS__)
#define OPT_END                                                                                    \
	{                                                                                          \
		.kind = OPT_KIND_END                                                               \
	}
