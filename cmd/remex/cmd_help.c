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

/* "cas" alone: how each of its commands is used. */
static bool describe_family(struct cmd *c, const char *word)
{
	size_t n = strlen(word);
	bool found = false;

	for (const struct command *k = command_table; k->name; k++) {
		if (strncmp(k->name, word, n) != 0 || k->name[n] != ' ')
			continue;
		rx_buf_addf(&c->out, "remex %s %s\n  %s\n", k->name, k->usage, k->summary);
		found = true;
	}
	if (found)
		rx_buf_addf(&c->out,
			    "\n'remex help %s COMMAND' lists the options of one; the whole "
			    "story: man remex-%s\n",
			    word, word);
	return found;
}

int cmd_help(struct cmd *c, int argc, char **argv)
{
	const struct opt own[] = { OPT_END };
	const struct command *found;
	int words = 0;

	if (!cmd_parse(c, own, NULL, argc, argv) || !cmd_operands(c, 0, 2, "COMMAND"))
		return c->exit_code;
	if (!c->parser.operands.n)
		return cmd_overview(c);
	argc = (int)c->parser.operands.n;
	argv = arena_copy(&c->arena, c->parser.operands.v, (size_t)argc * sizeof(*argv));
	if (argc == 1 && describe_family(c, argv[0]))
		return cmd_done(c, EXIT_YES);
	found = command_find(argc, argv, &words, &c->err);
	if (!found)
		return cmd_fail(c);
	c->mode = CMD_HELP;
	c->command = found;
	return found->run(c, 0, NULL);
}
