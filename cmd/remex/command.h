/* command: the command table and what every command shares: its context, parsing, errors, output.
 *
 * How to add one: write cmd_NAME.c with `int cmd_NAME(struct cmd *c, int argc, char **argv)`,
 * declare it below, add its line to command_table in command.c, its file and its man page to
 * CMakeLists.txt, write man/remex-NAME.1 (tests/cli/check_man compares it with the option table)
 * and a folder in tests/cli/. A command reads
 *
 *	struct args a = { .jobs = 16 };
 *	const struct opt own[] = { OPT_..., OPT_END };
 *
 *	if (!cmd_parse(c, own, &a.connection, argc, argv))
 *		return c->exit_code;
 *	if (!flow_does_it(..., &c->err))
 *		return cmd_fail(c);
 *	rx_buf_addf(&c->out, ...);
 *	return cmd_done(c, 0);
 */
#pragma once

#include "arena.h"
#include "err.h"
#include "json.h"
#include "option.h"
#include "settings.h"

struct cmd;
struct connection;

#define COMMAND_RUNS_ACTION 1u /* our own failures are 125: the other codes are the action's */
#define COMMAND_NO_SETTINGS 2u /* reads no settings file */
#define COMMAND_NO_JSON     4u
#define COMMAND_FOREIGN     8u /* operands are another program's command line */
struct command {
	const char *name;  /* "cas put": two words */
	const char *usage; /* behind the name: "[options] PATH..." */
	const char *summary;
	int (*run)(struct cmd *c, int argc, char **argv);
	unsigned flags;
};
extern const struct command command_table[]; /* ended by a NULL name */
/* The command that argv starts with; *words_out is 1 or 2. NULL: rx_err says what was meant. */
const struct command *command_find(int argc, char *const *argv, int *words_out, struct rx_err *err);

enum cmd_mode {
	CMD_RUN,
	CMD_HELP, /* print help in cmd_parse, as -h does */
	CMD_LIST  /* print the option table for completion and tests */
};
enum cmd_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum cmd_exit {
	EXIT_YES = 0,
	EXIT_NO = 1,           /* missing, a miss, differs */
	EXIT_USAGE = 2,        /* or configuration */
	EXIT_UNREADABLE = 3,   /* input */
	EXIT_SERVICE = 4,      /* failed */
	EXIT_NOT_CACHED = 123, /* exec --require-cached */
	EXIT_TIMED_OUT = 124,
	EXIT_EXEC_FAILED = 125,
	EXIT_SIGNAL = 128 /* + its number */
};
#define CMD_OUT_MAX ((size_t)1 << 30)

struct cmd {
	const struct command *command; /* NULL before it is known */
	enum cmd_mode mode;
	unsigned verbose;
	bool quiet, json;
	int color;          /* enum cmd_color */
	const char *config; /* --config */
	struct opt_parser parser;
	struct settings *settings;
	struct rx_err err;
	struct rx_buf out; /* for stdout; cmd_done writes it */
	struct arena arena;
	int exit_code;
	struct opt globals[8], json_option[2]; /* tables that point into this */
	struct opt_section sections[4];
};
void cmd_init(struct cmd *c);
void cmd_release(struct cmd *c);
/* The options in front of the command; operands are the rest of the line. */
RX_MUST_USE bool cmd_parse_globals(struct cmd *c, int argc, char *const *argv);
/* Options, environment, settings files. connection may be NULL. False: the command ends with
 * c->exit_code, and what was to be said has been said. */
RX_MUST_USE bool cmd_parse(struct cmd *c, const struct opt *own, struct connection *connection,
			   int argc, char *const *argv);
/* Operands allowed: at least min, at most max. Otherwise prints a usage error; false as above. */
RX_MUST_USE bool cmd_operands(struct cmd *c, size_t min, size_t max, const char *what);

/* Prints c->err (with --json as an object on stdout too); returns the exit code that goes with it.
 */
int cmd_fail(struct cmd *c);
/* Only the text on stderr, for commands that have printed their own object. */
void cmd_print_error(const struct cmd *c);
/* rx_fail(RX_EUSAGE) and cmd_fail in one. */
int cmd_usage(struct cmd *c, const char *fmt, ...) RX_PRINTF(2, 3);
/* cmd_fail for a mistake in an operand: a usage error, whatever its parser called it. */
int cmd_usage_of_input(struct cmd *c);
/* "remex: exec: text" on stderr unless -q. */
void cmd_say(const struct cmd *c, const char *fmt, ...) RX_PRINTF(2, 3);
/* Writes c->out to stdout now, empties it. False: stdout is gone or full, exit_code says so. */
RX_MUST_USE bool cmd_flush(struct cmd *c);
/* Flushes; returns code unless that failed. */
int cmd_done(struct cmd *c, int code);
/* Starts an object on c->out with its "schema"; the caller adds fields and calls cmd_json_end. */
struct json cmd_json(struct cmd *c);
void cmd_json_end(struct cmd *c, struct json *j); /* '}' and a newline */
/* "error": {...} in an open object. */
void cmd_json_error(struct json *j, const struct rx_err *err);

/* "Global options" of the overview. */
void cmd_add_global_help(struct cmd *c);
int cmd_overview(struct cmd *c); /* the list of commands */

int cmd_exec(struct cmd *c, int argc, char **argv);
int cmd_cas_put(struct cmd *c, int argc, char **argv);
int cmd_cas_get(struct cmd *c, int argc, char **argv);
int cmd_cas_cat(struct cmd *c, int argc, char **argv);
int cmd_cas_ls(struct cmd *c, int argc, char **argv);
int cmd_cas_has(struct cmd *c, int argc, char **argv);
int cmd_ac_get(struct cmd *c, int argc, char **argv);
int cmd_ac_put(struct cmd *c, int argc, char **argv);
int cmd_caps(struct cmd *c, int argc, char **argv);
int cmd_serve(struct cmd *c, int argc, char **argv);
int cmd_help(struct cmd *c, int argc, char **argv);
int cmd_version(struct cmd *c, int argc, char **argv);
int cmd_completion(struct cmd *c, int argc, char **argv);
