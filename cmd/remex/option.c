/* option: parses a command line by its option tables. */
#include "option.h"

#include <errno.h>

#include "clock.h"

void opt_list_add(struct opt_list *l, const char *value)
{
	RX_GROW(l->v, l->n, l->cap);
	l->v[l->n++] = value;
}

void opt_list_release(struct opt_list *l)
{
	free(l->v);
	*l = (struct opt_list){ 0 };
}

void opt_parser_release(struct opt_parser *p)
{
	opt_list_release(&p->operands);
	free(p->given);
	p->given = NULL;
	p->n_given = p->cap_given = 0;
}

bool opt_takes_value(const struct opt *o)
{
	return o->kind != OPT_KIND_FLAG && o->kind != OPT_KIND_COUNT;
}

static size_t section_of(const struct opt_parser *p, const struct opt *o)
{
	size_t s = 0;

	for (; s < p->n_sections; s++)
		for (const struct opt *at = p->sections[s].opts; at->kind != OPT_KIND_END; at++)
			if (at == o)
				return s;
	return s;
}

const struct opt *opt_next(const struct opt_parser *p, const struct opt *o)
{
	size_t s = 0;

	if (o) {
		s = section_of(p, o);
		if ((++o)->kind != OPT_KIND_END)
			return o;
		s++;
	}
	while (s < p->n_sections && p->sections[s].opts->kind == OPT_KIND_END)
		s++;
	return s < p->n_sections ? p->sections[s].opts : NULL;
}

static const struct opt *opt_find(const struct opt_parser *p, const char *name)
{
	for (const struct opt *o = NULL; (o = opt_next(p, o));)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static const struct opt *find_letter(const struct opt_parser *p, char letter)
{
	for (const struct opt *o = NULL; (o = opt_next(p, o));)
		if (o->letter == letter)
			return o;
	return NULL;
}

bool opt_given(const struct opt_parser *p, const void *to)
{
	for (size_t i = 0; i < p->n_given; i++)
		if (p->given[i]->to == to)
			return true;
	return false;
}

char *opt_env_name(const struct opt *o)
{
	char *name = xasprintf("REMEX_%s", o->name);

	for (char *p = name + 6; *p; p++) {
		if (*p == '-')
			*p = '_';
		else if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	}
	return name;
}

static bool parse_number(const char *value, long long min, long long max, long long *out)
{
	char *end;
	const char *digits = value[0] == '-' ? value + 1 : value;

	if (digits[0] < '0' || digits[0] > '9')
		return false;
	errno = 0;
	*out = strtoll(value, &end, 10);
	return *end == '\0' && errno == 0 && *out >= min && *out <= max;
}

static bool set_number(const struct opt *o, const char *value, const char *from, struct rx_err *err)
{
	bool is_signed = o->kind == OPT_KIND_I32;
	long long n;

	if (!parse_number(value, is_signed ? INT32_MIN : 0, is_signed ? INT32_MAX : UINT32_MAX, &n))
		return rx_fail(err, RX_EUSAGE, "%s: '%s' is not a %s", from, value,
			       is_signed ? "number" : "number from 0");
	if (is_signed)
		*(int32_t *)o->to = (int32_t)n;
	else
		*(unsigned *)o->to = (unsigned)n;
	return true;
}

static bool set_choice(const struct opt *o, const char *value, const char *from, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf all = { 0 };

	for (const struct opt_choice *c = o->choices; c->name; c++) {
		if (strcmp(c->name, value) == 0) {
			*(int *)o->to = c->value;
			return true;
		}
		rx_buf_addf(&all, "%s%s",
			    c == o->choices ? ""
			    : c[1].name     ? ", "
					    : " or ",
			    c->name);
	}
	return rx_fail(err, RX_EUSAGE, "%s: '%s' is not one of %s", from, value, rx_buf_str(&all));
}

/* In the environment and in settings files a flag has a value. */
static bool set_flag(const struct opt *o, const char *value, const char *from, struct rx_err *err)
{
	static const char *const yes[] = { "1", "true", "yes", "on" };
	static const char *const no[] = { "0", "false", "no", "off", "" };
	long long n;

	if (o->kind == OPT_KIND_COUNT && parse_number(value, 0, 9, &n)) {
		*(unsigned *)o->to = (unsigned)n;
		return true;
	}
	for (size_t i = 0; i < RX_COUNT(yes) + RX_COUNT(no); i++) {
		bool truth = i < RX_COUNT(yes);

		if (strcmp(value, truth ? yes[i] : no[i - RX_COUNT(yes)]) != 0)
			continue;
		if (o->kind == OPT_KIND_COUNT)
			*(unsigned *)o->to = truth;
		else
			*(bool *)o->to = truth;
		return true;
	}
	return rx_fail(err, RX_EUSAGE, "%s: '%s' is neither true nor false", from, value);
}

bool opt_set(const struct opt *o, const char *value, const char *from, struct rx_err *err)
{
	switch (o->kind) {
	case OPT_KIND_FLAG:
	case OPT_KIND_COUNT:
		return set_flag(o, value, from, err);
	case OPT_KIND_STR:
		*(const char **)o->to = value;
		return true;
	case OPT_KIND_U32:
	case OPT_KIND_I32:
		return set_number(o, value, from, err);
	case OPT_KIND_DURATION:
		if (!clock_parse_duration(value, o->to, err))
			return rx_wrap(err, "%s", from);
		return true;
	case OPT_KIND_SIZE:
		if (!clock_parse_size(value, o->to, err))
			return rx_wrap(err, "%s", from);
		return true;
	case OPT_KIND_LIST:
		opt_list_add(o->to, value);
		return true;
	case OPT_KIND_CHOICE:
		return set_choice(o, value, from, err);
	case OPT_KIND_CALLBACK:
		if (!o->parse(o->to, value, err))
			return rx_wrap(err, "%s", from);
		return true;
	case OPT_KIND_END:
		break;
	}
	return false;
}

static size_t distance(const char *a, const char *b)
{
	enum { MAX = 32 };
	size_t row[MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > MAX || lb > MAX)
		return MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t above = row[j];
			size_t best = RX_MIN(above, row[j - 1]) + 1;

			best = RX_MIN(best, corner + (a[i - 1] != b[j - 1]));
			corner = above;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *opt_did_you_mean(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t length = strlen(word), limit = length / 3 + 1, best_distance = limit + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);

		/* an abbreviation is near, whatever is left out */
		if (length >= 2 && strncmp(word, names[i], length) == 0)
			d = 1;
		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	return best;
}

static bool unknown_long(const struct opt_parser *p, const char *name, size_t n, struct rx_err *err)
{
	RX_CLEANUP(opt_list_release) struct opt_list names = { 0 };
	RX_CLEANUP(xfreep) char *word = xstrndup(name, n);
	const char *near;

	rx_fail(err, RX_EUSAGE, "unknown option '--%s'", word);
	for (const struct opt *o = NULL; (o = opt_next(p, o));)
		if (!(o->flags & OPT_HIDDEN))
			opt_list_add(&names, o->name);
	near = opt_did_you_mean(word, names.v, names.n);
	if (near)
		rx_hint(err, "did you mean '--%s'?", near);
	return false;
}

static void mark_given(struct opt_parser *p, const struct opt *o)
{
	RX_GROW(p->given, p->n_given, p->cap_given);
	p->given[p->n_given++] = o;
}

static void raise_flag(const struct opt *o)
{
	if (o->kind == OPT_KIND_COUNT)
		++*(unsigned *)o->to;
	else
		*(bool *)o->to = true;
}

/* argv[*i] is "--name" or "--name=value". */
static bool parse_long(struct opt_parser *p, int argc, char *const *argv, int *i,
		       struct rx_err *err)
{
	const char *word = argv[*i] + 2, *value = strchr(word, '=');
	size_t n = value ? (size_t)(value - word) : strlen(word);
	RX_CLEANUP(xfreep) char *name = xstrndup(word, n);
	RX_CLEANUP(xfreep) char *from = xasprintf("--%s", name);
	const struct opt *o = opt_find(p, name);

	if (!o)
		return unknown_long(p, word, n, err);
	if (!opt_takes_value(o)) {
		if (value)
			return rx_fail(err, RX_EUSAGE, "option '--%s' takes no value", name);
		raise_flag(o);
	} else {
		if (value)
			value++;
		else if (*i + 1 < argc)
			value = argv[++*i];
		else
			return rx_fail(err, RX_EUSAGE, "option '--%s' needs a value", name);
		if (!opt_set(o, value, from, err))
			return false;
	}
	mark_given(p, o);
	return true;
}

/* argv[*i] is "-x", "-xyz" (flags), "-xVALUE" or "-x" with a separate value. */
static bool parse_short(struct opt_parser *p, int argc, char *const *argv, int *i,
			struct rx_err *err)
{
	for (const char *c = argv[*i] + 1; *c; c++) {
		const struct opt *o = find_letter(p, *c);
		char from[] = { '-', *c, '\0' };
		const char *value;

		if (!o)
			return rx_fail(err, RX_EUSAGE, "unknown option '-%c'", *c);
		mark_given(p, o);
		if (!opt_takes_value(o)) {
			raise_flag(o);
			continue;
		}
		if (c[1])
			value = c + 1;
		else if (*i + 1 < argc)
			value = argv[++*i];
		else
			return rx_fail(err, RX_EUSAGE, "option '-%c' needs a value", *c);
		return opt_set(o, value, from, err);
	}
	return true;
}

bool opt_parse(struct opt_parser *p, int argc, char *const *argv, struct rx_err *err)
{
	bool options = true;

	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];

		if (!options || arg[0] != '-' || !arg[1]) { /* "-" alone is an operand */
			opt_list_add(&p->operands, arg);
			if (p->operand_ends)
				options = false;
		} else if (strcmp(arg, "--") == 0) {
			options = false;
		} else if (arg[1] == '-') {
			if (!parse_long(p, argc, argv, &i, err))
				return false;
		} else if (!parse_short(p, argc, argv, &i, err)) {
			return false;
		}
		if (p->help)
			return true;
	}
	return true;
}
