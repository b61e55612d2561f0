/* optionhelp: what -h, completion and the man check print of an option table. */
#include "option.h"

#define HELP_INDENT 28
#define HELP_WIDTH  80

static void add_choices(const struct opt *o, char between, struct rx_buf *out)
{
	for (const struct opt_choice *c = o->choices; c && c->name; c++) {
		if (c != o->choices)
			rx_buf_add_char(out, between);
		rx_buf_add_str(out, c->name);
	}
}

/* Words of text, wrapped, from column HELP_INDENT on. */
static void add_wrapped(const char *text, size_t column, struct rx_buf *out)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > HELP_INDENT && column + 1 + n > HELP_WIDTH) {
			rx_buf_addf(out, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (column > HELP_INDENT) {
			rx_buf_add_char(out, ' ');
			column++;
		}
		rx_buf_add(out, text, n);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	rx_buf_add_char(out, '\n');
}

static void add_option(const struct opt *o, struct rx_buf *out)
{
	size_t start = out->n, width;

	if (o->letter)
		rx_buf_addf(out, "  -%c, --%s", o->letter, o->name);
	else
		rx_buf_addf(out, "      --%s", o->name);
	if (o->choices) {
		rx_buf_add_char(out, ' ');
		add_choices(o, '|', out);
	} else if (o->arg) {
		rx_buf_addf(out, " %s", o->arg);
	}
	width = out->n - start;
	if (width + 2 > HELP_INDENT) {
		rx_buf_addf(out, "\n%*s", HELP_INDENT, "");
	} else {
		rx_buf_addf(out, "%*s", (int)(HELP_INDENT - width), "");
	}
	add_wrapped(o->help, HELP_INDENT, out);
}

void opt_add_help(const struct opt_parser *p, struct rx_buf *out)
{
	for (size_t s = 0; s < p->n_sections; s++) {
		if (p->sections[s].opts->kind == OPT_KIND_END)
			continue;
		rx_buf_addf(out, "\n%s:\n", p->sections[s].title);
		for (const struct opt *o = p->sections[s].opts; o->kind != OPT_KIND_END; o++)
			if (!(o->flags & OPT_HIDDEN))
				add_option(o, out);
	}
}

void opt_add_listing(const struct opt_parser *p, struct rx_buf *out)
{
	for (const struct opt *o = NULL; (o = opt_next(p, o));) {
		if (o->flags & OPT_HIDDEN)
			continue;
		rx_buf_addf(out, "option\t--%s\t", o->name);
		if (o->letter)
			rx_buf_addf(out, "-%c", o->letter);
		rx_buf_addf(out, "\t%s\t", o->choices ? "CHOICE" : o->arg ? o->arg : "");
		add_choices(o, '|', out);
		rx_buf_addf(out, "\t%s\n", o->help);
	}
}
