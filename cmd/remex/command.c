/* command: the command table, and parsing, errors and output as every command does them. */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "connection.h"
#include "file.h"
#include "log.h"
#include "settle.h"
#include "signals.h"
#include "utf8.h"

const struct command command_table[] = {
	{ "exec", "[options] -- COMMAND ARG...",
	  "run a command remotely, or take its cached result", cmd_exec,
	  COMMAND_RUNS_ACTION | COMMAND_FOREIGN },
	{ "cas put", "[options] PATH...", "upload files and directories", cmd_cas_put, 0 },
	{ "cas get", "[options] DIGEST -o PATH", "download a blob or a directory", cmd_cas_get, 0 },
	{ "cas cat", "[options] DIGEST", "write a blob to standard output", cmd_cas_cat,
	  COMMAND_NO_JSON },
	{ "cas ls", "[options] DIGEST", "list a directory", cmd_cas_ls, 0 },
	{ "cas has", "[options] DIGEST...", "print which blobs are missing", cmd_cas_has, 0 },
	{ "ac get", "[options] DIGEST", "print an action's cached result", cmd_ac_get, 0 },
	{ "ac put", "[options] DIGEST --result FILE", "store an action's result", cmd_ac_put, 0 },
	{ "caps", "[options]", "print what the server can do", cmd_caps, 0 },
	{ "serve", "[options]", "run the embedded server in the foreground", cmd_serve,
	  COMMAND_NO_SETTINGS },
	{ "help", "[COMMAND]", "describe a command", cmd_help,
	  COMMAND_NO_SETTINGS | COMMAND_NO_JSON },
	{ "version", "[options]", "print the version and what it is built with", cmd_version,
	  COMMAND_NO_SETTINGS },
	{ "completion", "bash|zsh|fish", "print a shell's completion script", cmd_completion,
	  COMMAND_NO_SETTINGS | COMMAND_NO_JSON },
	{ .name = NULL },
};

static bool is_two_words(const struct command *command, const char *first)
{
	size_t n = strlen(first);

	return strncmp(command->name, first, n) == 0 && command->name[n] == ' ';
}

static const struct command *unknown_command(const char *word, struct rx_err *err)
{
	const char *names[RX_COUNT(command_table)], *near;
	size_t n = 0;

	rx_fail(err, RX_EUSAGE, "unknown command '%s'", word);
	for (const struct command *k = command_table; k->name; k++)
		names[n++] = k->name;
	near = opt_did_you_mean(word, names, n);
	if (near)
		rx_hint(err, "did you mean 'remex %s'?", near);
	else
		rx_hint(err, "'remex help' lists the commands");
	return NULL;
}

const struct command *command_find(int argc, char *const *argv, int *words_out, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf subcommands = { 0 };
	RX_CLEANUP(xfreep) char *two = NULL;

	for (const struct command *k = command_table; k->name; k++) {
		if (strcmp(k->name, argv[0]) == 0) {
			*words_out = 1;
			return k;
		}
		if (!is_two_words(k, argv[0]))
			continue;
		if (argc > 1 && strcmp(k->name + strlen(argv[0]) + 1, argv[1]) == 0) {
			*words_out = 2;
			return k;
		}
		rx_buf_addf(&subcommands, "%s%s", subcommands.n ? ", " : "",
			    k->name + strlen(argv[0]) + 1);
	}
	if (!subcommands.n)
		return unknown_command(argv[0], err);
	if (argc > 1 && argv[1][0] != '-') {
		two = xasprintf("%s %s", argv[0], argv[1]);
		return unknown_command(two, err);
	}
	rx_fail(err, RX_EUSAGE, "'remex %s' needs one of %s", argv[0], rx_buf_str(&subcommands));
	return NULL;
}

/* "remex-cas": the page that describes a command; the caller frees. */
static char *command_page(const struct command *command)
{
	return xasprintf("remex-%.*s", (int)strcspn(command->name, " "), command->name);
}

void cmd_init(struct cmd *c)
{
	static const struct opt_choice colors[] = { { "auto", COLOR_AUTO },
						    { "always", COLOR_ALWAYS },
						    { "never", COLOR_NEVER },
						    { NULL, 0 } };
	const struct opt globals[] = {
		OPT_COUNT('v', "verbose", &c->verbose, "say more; twice: debug lines",
			  .flags = OPT_ENV),
		OPT_FLAG('q', "quiet", &c->quiet, "only errors", .flags = OPT_ENV),
		OPT_CHOICE(0, "color", &c->color, colors, "color messages", .flags = OPT_SETTING),
		OPT_STR(0, "config", &c->config, "FILE", "read this instead of .remex.yaml",
			.flags = OPT_ENV),
		OPT_FLAG('h', "help", &c->parser.help, "print this"),
		OPT_END
	};
	const struct opt json[] = { OPT_FLAG(0, "json", &c->json, "print JSON on standard output"),
				    OPT_END };

	*c = (struct cmd){ 0 };
	c->out.max = CMD_OUT_MAX;
	memcpy(c->globals, globals, sizeof(globals));
	memcpy(c->json_option, json, sizeof(json));
}

void cmd_release(struct cmd *c)
{
	opt_parser_release(&c->parser);
	settings_free(c->settings);
	rx_err_release(&c->err);
	rx_buf_release(&c->out);
	arena_release(&c->arena);
}

/* "remex.cas-put/1" */
static char *cmd_schema(const struct cmd *c)
{
	char *schema = xasprintf("remex.%s/1", c->command->name);

	for (char *p = schema; *p; p++)
		if (*p == ' ')
			*p = '-';
	return schema;
}

static bool use_color(const struct cmd *c)
{
	return c->color == COLOR_ALWAYS ||
	       (c->color == COLOR_AUTO && isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
}

/* One write a message, so that lines of several processes stay whole. */
static void print_stderr(const struct rx_buf *text)
{
	struct rx_err ignored = { 0 };

	if (!file_write_fd(STDERR_FILENO, text->p, text->n, &ignored))
		rx_err_release(&ignored); /* nobody is left to be told */
}

static void add_prefix(const struct cmd *c, struct rx_buf *out)
{
	rx_buf_add_str(out, "remex: ");
	if (c->command)
		rx_buf_addf(out, "%s: ", c->command->name);
}

void cmd_print_error(const struct cmd *c)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { .max = RX_BUF_NO_MAX };
	const char *hint = rx_buf_str(&c->err.hint);
	bool color = use_color(c);

	if (color)
		rx_buf_add_str(&text, "\033[31m");
	add_prefix(c, &text);
	if (color)
		rx_buf_add_str(&text, "\033[0m");
	/* Servers and file names have their say in it: nothing of theirs steers a terminal. */
	utf8_add_safe(&text, rx_err_text(&c->err), c->err.msg.n, c->err.msg.n);
	rx_buf_add_char(&text, '\n');
	while (*hint) {
		size_t n = strcspn(hint, "\n");

		rx_buf_add_str(&text, "  ");
		utf8_add_safe(&text, hint, n, n);
		rx_buf_add_char(&text, '\n');
		hint += n + (hint[n] == '\n');
	}
	print_stderr(&text);
}

void cmd_say(const struct cmd *c, const char *fmt, ...)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	char *line = NULL;
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		abort();
	va_end(ap);
	text.max = RX_BUF_NO_MAX;
	add_prefix(c, &text);
	rx_buf_addf(&text, "%s\n", line);
	free(line);
	print_stderr(&text);
}

struct json cmd_json(struct cmd *c)
{
	RX_CLEANUP(xfreep) char *schema = cmd_schema(c);
	struct json j = { .out = &c->out };

	json_object(&j);
	json_kv_str(&j, "schema", schema);
	return j;
}

void cmd_json_end(struct cmd *c, struct json *j)
{
	json_end(j, '}');
	rx_buf_add_char(&c->out, '\n');
}

static const char *code_name(enum rx_code code)
{
	static const char *const names[] = {
		[RX_OK] = "ok",           [RX_EUSAGE] = "usage",   [RX_EIO] = "io",
		[RX_EPARSE] = "parse",    [RX_ELIMIT] = "limit",   [RX_EDIGEST] = "digest",
		[RX_ERPC] = "rpc",        [RX_ECANCEL] = "cancel", [RX_EEXIST] = "exists",
		[RX_ENOENT] = "not-found"
	};

	return names[code];
}

void cmd_json_error(struct json *j, const struct rx_err *err)
{
	json_key(j, "error");
	json_object(j);
	json_kv_str(j, "code", code_name(err->code));
	if (err->code == RX_ERPC)
		json_kv_str(j, "grpc", rx_grpc_name(err->grpc_status));
	json_kv_str(j, "message", rx_err_text(err));
	json_end(j, '}');
}

static bool stdout_is_gone(const struct rx_err *err)
{
	return err->code == RX_EIO && err->sys_errno == EPIPE;
}

static int cmd_exit_of(const struct cmd *c, const struct rx_err *err)
{
	if (signals_received())
		return EXIT_SIGNAL + signals_received();
	if (stdout_is_gone(err))
		return EXIT_SIGNAL + SIGPIPE;
	if (c->command && (c->command->flags & COMMAND_RUNS_ACTION))
		return EXIT_EXEC_FAILED;
	if (err->service)
		return EXIT_SERVICE;
	switch (err->code) {
	case RX_OK:
		return EXIT_YES;
	case RX_EUSAGE:
	case RX_EEXIST:
		return EXIT_USAGE;
	case RX_EIO:
	case RX_EPARSE:
	case RX_ELIMIT:
	case RX_ENOENT:
		return EXIT_UNREADABLE;
	case RX_EDIGEST:
	case RX_ERPC:
	case RX_ECANCEL:
		break;
	}
	return EXIT_SERVICE;
}

int cmd_fail(struct cmd *c)
{
	int code = cmd_exit_of(c, &c->err);

	if (stdout_is_gone(&c->err)) /* as `| head` does: nobody to tell, nothing wrong */
		return code;
	if (c->json && c->command) {
		struct json j = cmd_json(c);

		cmd_json_error(&j, &c->err);
		cmd_json_end(c, &j);
	}
	cmd_print_error(c);
	return cmd_done(c, code);
}

int cmd_usage(struct cmd *c, const char *fmt, ...)
{
	char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		abort();
	va_end(ap);
	rx_fail(&c->err, RX_EUSAGE, "%s", line);
	free(line);
	return cmd_fail(c);
}

int cmd_usage_of_input(struct cmd *c)
{
	c->err.code = RX_EUSAGE;
	return cmd_fail(c);
}

bool cmd_flush(struct cmd *c)
{
	struct rx_err err = { 0 };
	bool ok = !c->out.n || file_write_fd(STDOUT_FILENO, c->out.p, c->out.n, &err);

	rx_buf_reset(&c->out);
	if (ok)
		return true;
	rx_err_reset(&c->err);
	rx_err_move(&c->err, &err);
	c->exit_code = cmd_exit_of(c, &c->err);
	if (!stdout_is_gone(&c->err)) {
		rx_wrap(&c->err, "standard output");
		cmd_print_error(c);
	}
	return false;
}

int cmd_done(struct cmd *c, int code)
{
	return cmd_flush(c) ? code : c->exit_code;
}

static void set_log_level(const struct cmd *c)
{
	if (c->quiet)
		log_set_level(LOG_QUIET);
	else if (c->verbose)
		log_set_level(c->verbose > 1 ? LOG_DEBUG : LOG_VERBOSE);
}

bool cmd_parse_globals(struct cmd *c, int argc, char *const *argv)
{
	c->sections[0] = (struct opt_section){ "Global options", c->globals };
	c->parser.sections = c->sections;
	c->parser.n_sections = 1;
	c->parser.operand_ends = true;
	if (!opt_parse(&c->parser, argc, argv, &c->err)) {
		c->exit_code = cmd_fail(c);
		return false;
	}
	set_log_level(c);
	return true;
}

/* So that a mistake in the options themselves is still told in JSON. */
static bool asks_for_json(int argc, char *const *argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

void cmd_add_global_help(struct cmd *c)
{
	c->sections[0] = (struct opt_section){ "Global options", c->globals };
	c->parser.n_sections = 1;
	opt_add_help(&c->parser, &c->out);
}

static void choose_sections(struct cmd *c, const struct opt *own, struct connection *connection)
{
	size_t n = 0;

	c->sections[n++] = (struct opt_section){ "Options", own };
	if (connection)
		c->sections[n++] = (struct opt_section){ "Connection options",
							 connection_options(connection) };
	if (!(c->command->flags & COMMAND_NO_JSON))
		c->sections[n++] = (struct opt_section){ "Output options", c->json_option };
	c->sections[n++] = (struct opt_section){ "Global options", c->globals };
	c->parser.sections = c->sections;
	c->parser.n_sections = n;
	c->parser.operand_ends = c->command->flags & COMMAND_FOREIGN;
}

static void add_help(struct cmd *c)
{
	RX_CLEANUP(xfreep) char *page = command_page(c->command);

	rx_buf_addf(&c->out, "Usage: remex %s %s\n\n%c%s.\n", c->command->name, c->command->usage,
		    c->command->summary[0] - 'a' + 'A', c->command->summary + 1);
	opt_add_help(&c->parser, &c->out);
	rx_buf_addf(&c->out, "\nThe whole story: man %s\n", page);
}

bool cmd_parse(struct cmd *c, const struct opt *own, struct connection *connection, int argc,
	       char *const *argv)
{
	c->parser.operands.n = 0;
	choose_sections(c, own, connection);
	if (c->mode == CMD_RUN && !opt_parse(&c->parser, argc, argv, &c->err)) {
		c->json = !(c->command->flags & COMMAND_NO_JSON) && asks_for_json(argc, argv);
		rx_hint(&c->err, "'remex %s -h' lists the options", c->command->name);
		c->exit_code = cmd_fail(c);
		return false;
	}
	if (c->mode == CMD_LIST) {
		opt_add_listing(&c->parser, &c->out);
		c->exit_code = cmd_done(c, EXIT_YES);
		return false;
	}
	if (c->mode == CMD_HELP || c->parser.help) {
		add_help(c);
		c->exit_code = cmd_done(c, EXIT_YES);
		return false;
	}
	if (!settle_environment(c, &c->err) || (!(c->command->flags & COMMAND_NO_SETTINGS) &&
						!settle_settings(c, connection, &c->err))) {
		c->exit_code = cmd_fail(c);
		return false;
	}
	set_log_level(c);
	return true;
}

bool cmd_operands(struct cmd *c, size_t min, size_t max, const char *what)
{
	const struct opt_list *o = &c->parser.operands;

	if (o->n < min)
		rx_fail(&c->err, RX_EUSAGE, "%s is missing", what);
	else if (o->n > max)
		rx_fail(&c->err, RX_EUSAGE, "'%s' is one argument too many", o->v[max]);
	else
		return true;
	rx_hint(&c->err, "usage: remex %s %s", c->command->name, c->command->usage);
	c->exit_code = cmd_fail(c);
	return false;
}
