/* settle: option > REMEX_<OPTION> > the chosen remote's settings > nearest file > the user's file.
 */
#include "settle.h"

#include "endpoint.h"

/* Where a value came from, weakest first. */
enum origin { FROM_NOWHERE, FROM_USER, FROM_NEAREST, FROM_ENVIRONMENT, FROM_OPTION };

struct settle {
	struct cmd *c;
	const char *remote_name; /* of the entry in `remotes:`, or NULL */
	enum origin remote_from;
	bool endpoint_untrusted;
};

/* opt_set may have been called for this list in a weaker layer only. */
static bool has_name(const struct opt_list *l, size_t n, const char *pair)
{
	size_t length = strcspn(pair, "=");

	for (size_t i = 0; i < n; i++)
		if (strcspn(l->v[i], "=") == length && strncmp(l->v[i], pair, length) == 0)
			return true;
	return false;
}

/* The values of one layer, weaker than what the list has: names that it has stay as they are. */
static bool set_layer(const struct opt *o, const char *const *v, size_t n, const char *from,
		      struct rx_err *err)
{
	struct opt_list *l = o->to;
	size_t stronger = o->kind == OPT_KIND_LIST ? l->n : 0;

	for (size_t i = 0; i < n; i++) {
		if ((o->flags & OPT_PAIRS) && has_name(l, stronger, v[i]))
			continue;
		if (!opt_set(o, v[i], from, err))
			return false;
	}
	return true;
}

/* A list is written one value a line. */
static bool set_from_environment(struct cmd *c, const struct opt *o, bool *set, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *name = opt_env_name(o);
	RX_CLEANUP(opt_list_release) struct opt_list values = { 0 };
	const char *text = getenv(name);

	*set = false;
	if (!text || (!*text && opt_takes_value(o)))
		return true;
	*set = true;
	if (o->kind != OPT_KIND_LIST)
		return set_layer(o, &text, 1, name, err);
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			opt_list_add(&values, arena_strn(&c->arena, text, n));
		text += n + (text[n] == '\n');
	}
	return set_layer(o, values.v, values.n, name, err);
}

static enum origin origin_of(enum settings_layer layer)
{
	return layer == SETTINGS_USER ? FROM_USER : FROM_NEAREST;
}

static bool set_from_files(const struct settle *s, const struct opt *o, enum origin *from,
			   struct rx_err *err)
{
	struct settings_value values[SETTINGS_VALUES];
	struct settings_query q = { .key = o->name,
				    .remote = s->remote_name,
				    .endpoint_untrusted = s->endpoint_untrusted };
	size_t n = settings_values(s->c->settings, &q, values);

	for (size_t i = 0; i < n; i++) {
		RX_CLEANUP(xfreep) char *at = xasprintf("%s: %s", values[i].at, o->name);

		if (i == 0)
			*from = origin_of(values[i].layer);
		if (!set_layer(o, values[i].v, values[i].n, at, err))
			return false;
		if (!(o->flags & OPT_PAIRS))
			break;
	}
	return true;
}

static bool settle(const struct settle *s, const struct opt *o, enum origin *from,
		   struct rx_err *err)
{
	bool set;

	*from = FROM_NOWHERE;
	if (opt_given(&s->c->parser, o->to)) {
		*from = FROM_OPTION;
		if (!(o->flags & OPT_PAIRS))
			return true;
	}
	if (o->flags & (OPT_ENV | OPT_SETTING)) {
		if (!set_from_environment(s->c, o, &set, err))
			return false;
		if (set && *from == FROM_NOWHERE)
			*from = FROM_ENVIRONMENT;
		if (set && !(o->flags & OPT_PAIRS))
			return true;
	}
	if ((o->flags & OPT_SETTING) && s->c->settings) {
		enum origin file = FROM_NOWHERE;

		if (!set_from_files(s, o, &file, err))
			return false;
		if (*from == FROM_NOWHERE)
			*from = file;
	}
	return true;
}

bool settle_environment(struct cmd *c, struct rx_err *err)
{
	unsigned which = OPT_ENV;

	if (c->command->flags & COMMAND_NO_SETTINGS)
		which |= OPT_SETTING;
	for (const struct opt *o = NULL; (o = opt_next(&c->parser, o));) {
		bool set;

		if ((o->flags & which) && !opt_given(&c->parser, o->to) &&
		    !set_from_environment(c, o, &set, err))
			return false;
	}
	return true;
}

static bool is_url(const char *remote)
{
	return strpbrk(remote, ":/") || strcmp(remote, "embedded") == 0;
}

/* Where a value of a settings file stands, else NULL. */
static const char *at_of(const struct settle *s, const char *key, enum origin from)
{
	struct settings_value values[SETTINGS_VALUES];
	struct settings_query q = { .key = key, .remote = s->remote_name };

	if ((from != FROM_USER && from != FROM_NEAREST) ||
	    !settings_values(s->c->settings, &q, values))
		return NULL;
	return values[0].at;
}

/* A URL of a settings file is told with its line. */
static bool check_url(const char *url, const char *at, const char *key, struct rx_err *err)
{
	struct endpoint e = { 0 };

	if (!url || !at)
		return true;
	if (!endpoint_parse(url, &e, err))
		return rx_wrap(err, "%s: %s", at, key);
	endpoint_release(&e);
	return true;
}

/* `remote` may be a name: then its entry's URL is the remote, and the entry's owner names it. */
static bool resolve_remote(struct settle *s, struct connection *k, enum origin *owner,
			   struct rx_err *err)
{
	struct settings_value values[SETTINGS_VALUES];
	const char *at = at_of(s, "remote", *owner);
	enum settings_layer layer;

	if (!k->remote || is_url(k->remote))
		return check_url(k->remote, at, "remote", err);
	if (!settings_has_remote(s->c->settings, k->remote, &layer)) {
		RX_CLEANUP(xfreep) char *names = settings_remote_names(s->c->settings);

		rx_fail(err, RX_EUSAGE, "%s%sno remote is named '%s'", at ? at : "", at ? ": " : "",
			k->remote);
		rx_hint(err, "%s%s", *names ? "known remotes: " : "no settings file names remotes",
			names);
		rx_hint(err, "a URL is grpc://HOST:PORT, grpcs://HOST:PORT or unix:///PATH");
		return false;
	}
	s->remote_name = k->remote;
	*owner = origin_of(layer);
	(void)settings_values(s->c->settings,
			      &(struct settings_query){ .key = "remote", .remote = k->remote },
			      values);
	k->remote = values[0].v[0];
	if (!is_url(k->remote))
		return rx_fail(err, RX_EUSAGE, "%s: remote '%s' is not a URL", values[0].at,
			       k->remote);
	return check_url(k->remote, values[0].at, "remote", err);
}

static bool is_untrusted(const struct settle *s, enum origin from)
{
	return from == FROM_NEAREST && !settings_trusted(s->c->settings, SETTINGS_NEAREST);
}

/* Endpoints first: what they are decides which other settings may go to them. */
static bool settle_endpoints(struct settle *s, struct connection *k, struct rx_err *err)
{
	const char **roles[] = { &k->cas, &k->ac, &k->executor };
	enum origin owner = FROM_NOWHERE, from;

	for (const struct opt *o = k->table; o->kind != OPT_KIND_END; o++) {
		if (o->to != &k->remote)
			continue;
		if (!settle(s, o, &s->remote_from, err))
			return false;
		owner = s->remote_from;
	}
	if (!resolve_remote(s, k, &owner, err))
		return false;
	s->endpoint_untrusted = is_untrusted(s, owner);
	for (const struct opt *o = k->table; o->kind != OPT_KIND_END; o++) {
		for (size_t i = 0; i < RX_COUNT(roles); i++) {
			struct settings_query own = { .key = o->name, .remote = s->remote_name };
			struct settings_value values[SETTINGS_VALUES];
			bool of_remote;

			if (o->to != roles[i])
				continue;
			if (!settle(s, o, &from, err) ||
			    !check_url(*roles[i], at_of(s, o->name, from), o->name, err))
				return false;
			of_remote = s->remote_name && from < FROM_ENVIRONMENT && *roles[i] &&
				    settings_values(s->c->settings, &own, values) &&
				    values[0].of_remote;
			if (of_remote)
				continue;
			/* `-r URL` means all of that server, not the CAS of a weaker layer. */
			if (from < s->remote_from)
				*roles[i] = NULL;
			else if (*roles[i] && is_untrusted(s, from))
				s->endpoint_untrusted = true;
		}
	}
	return true;
}

bool settle_settings(struct cmd *c, struct connection *k, struct rx_err *err)
{
	struct settle s = { .c = c };
	struct settings_where where = { .start_dir = ".", .config = c->config };
	enum origin from;

	c->settings = settings_load(&where, err);
	if (!c->settings || (k && !settle_endpoints(&s, k, err)))
		return false;
	for (const struct opt *o = NULL; (o = opt_next(&c->parser, o));) {
		bool endpoint = k && (o->to == &k->remote || o->to == &k->cas || o->to == &k->ac ||
				      o->to == &k->executor);

		if ((o->flags & OPT_SETTING) && !endpoint && !settle(&s, o, &from, err))
			return false;
	}
	return true;
}
