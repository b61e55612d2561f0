/* main: finds the command and runs it. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "command.h"

static int list_commands(struct cmd *c)
{
	for (const struct command *k = command_table; k->name; k++)
		rx_buf_addf(&c->out, "command\t%s\t%s\n", k->name, k->summary);
	opt_add_listing(&c->parser, &c->out);
	return cmd_done(c, EXIT_YES);
}

static int run(struct cmd *c, int argc, char **argv)
{
	int words;

	c->command = command_find(argc, argv, &words, &c->err);
	if (!c->command)
		return cmd_fail(c);
	return c->command->run(c, argc - words, argv + words);
}

/* "remex [global options] COMMAND ...", or "remex --list-options [COMMAND]" for shells and tests.
 */
static int run_line(struct cmd *c, int argc, char **argv)
{
	bool listing = argc > 1 && strcmp(argv[1], "--list-options") == 0;
	int rest;

	if (listing) {
		c->mode = CMD_LIST;
		argc--;
		argv++;
	}
	if (!cmd_parse_globals(c, argc - 1, argv + 1))
		return c->exit_code;
	if (c->parser.help)
		return cmd_overview(c);
	rest = (int)c->parser.operands.n;
	if (rest)
		return run(c, rest, argv + argc - rest);
	if (listing)
		return list_commands(c);
	rx_fail(&c->err, RX_EUSAGE, "a command is missing");
	rx_hint(&c->err, "'remex help' lists the commands");
	return cmd_fail(c);
}

/* A closed standard stream must not come back as somebody else's descriptor: what is printed would
 * go there. Reading and writing fail as before, only messages vanish. */
static void hold_standard_streams(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(EXIT_SERVICE);
}

int main(int argc, char **argv)
{
	struct cmd c;
	int code;

	hold_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	cmd_init(&c);
	code = run_line(&c, argc, argv);
#ifdef REMEX_SANITIZED
	cmd_release(&c);
	return code;
#else
	/* Everything is written. Taking gRPC's threads down in order would only cost time. */
	_exit(code);
#endif
}
