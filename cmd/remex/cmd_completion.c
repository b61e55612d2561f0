/* cmd_completion: `remex completion bash|zsh|fish`: prints the scripts of completions/. */
#include "command.h"
#include "completions.inc"

int cmd_completion(struct cmd *c, int argc, char **argv)
{
	static const struct {
		const char *shell, *script;
	} shells[] = { { "bash", completion_bash },
		       { "zsh", completion_zsh },
		       { "fish", completion_fish } };
	const struct opt own[] = { OPT_END };

	if (!cmd_parse(c, own, NULL, argc, argv) || !cmd_operands(c, 1, 1, "bash, zsh or fish"))
		return c->exit_code;
	for (size_t i = 0; i < RX_COUNT(shells); i++) {
		if (strcmp(shells[i].shell, c->parser.operands.v[0]) != 0)
			continue;
		rx_buf_add_str(&c->out, shells[i].script);
		return cmd_done(c, EXIT_YES);
	}
	return cmd_usage(c, "'%s' is not one of bash, zsh or fish", c->parser.operands.v[0]);
}
