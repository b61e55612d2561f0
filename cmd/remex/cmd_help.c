/* cmd_help: `remex help [COMMAND]`. */
#include "command.h"

int cmd_overview(struct cmd *c)
{
	rx_buf_addf(&c->out, "Usage: remex [-v|-q] [--color WHEN] [--config FILE] COMMAND ...\n\n"
			     "Remote build execution: run, cache and inspect actions.\n\n"
			     "Commands:\n");
	for (const struct command *k = command_table; k->name; k++)
		rx_buf_addf(&c->out, "  %-12s %s\n", k->name, k->summary);
	cmd_add_global_help(c);
	rx_buf_addf(&c->out, "\n'remex COMMAND -h' lists a command's options; 'man remex' is the "
			     "whole story.\n");
	return cmd_done(c, EXIT_YES);
}

/* "cas" alone: its commands, each as it describes itself. */
static int describe_family(struct cmd *c, const char *word)
{
	size_t n = strlen(word);
	bool first = true;

	for (const struct command *k = command_table; k->name; k++) {
		if (strncmp(k->name, word, n) != 0 || k->name[n] != ' ')
			continue;
		if (!first)
			rx_buf_add_str(&c->out, "\n");
		first = false;
		c->command = k;
		(void)k->run(c, 0, NULL);
	}
	return first ? -1 : EXIT_YES;
}

int cmd_help(struct cmd *c, int argc, char **argv)
{
	const struct opt own[] = { OPT_END };
	int words = 0, code;

	if (!cmd_parse(c, own, NULL, argc, argv) || !cmd_operands(c, 0, 2, "COMMAND"))
		return c->exit_code;
	if (!c->parser.operands.n)
		return cmd_overview(c);
	c->mode = CMD_HELP;
	if (c->parser.operands.n == 1) {
		char *word = arena_str(&c->arena, c->parser.operands.v[0]);

		code = describe_family(c, word);
		if (code >= 0)
			return code;
	}
	argc = (int)c->parser.operands.n;
	argv = arena_copy(&c->arena, c->parser.operands.v, (size_t)argc * sizeof(*argv));
	const struct command *k = command_find(argc, argv, &words, &c->err);

	if (!k)
		return cmd_fail(c);
	c->command = k;
	return k->run(c, 0, NULL);
}
