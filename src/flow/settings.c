/* settings: reads the settings files and answers what they say about an option. */
#include "settings.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "yamldoc.h"

#define NEAREST_NAME ".remex.yaml"

/* Every option that a file may set. */
static const struct key {
	const char *name;
	bool list;      /* several values; a map is written NAME: VALUE */
	bool reveals;   /* counts only from the user's own file */
	bool of_remote; /* may stand in an entry of `remotes:` */
} keys[] = {
	{ "remote", .of_remote = true },
	{ "cas", .of_remote = true },
	{ "ac", .of_remote = true },
	{ "executor", .of_remote = true },
	{ "instance", .of_remote = true },
	{ "header", .list = true, .reveals = true, .of_remote = true },
	{ "token-file", .reveals = true, .of_remote = true },
	{ "tls-ca", .of_remote = true },
	{ "tls-cert", .of_remote = true },
	{ "tls-key", .of_remote = true },
	{ "tls-server-name", .of_remote = true },
	{ "digest-function", .of_remote = true },
	{ "jobs", .of_remote = true },
	{ "retries", .of_remote = true },
	{ "rpc-timeout", .of_remote = true },
	{ "keepalive", .of_remote = true },
	{ .name = "correlated-id" },
	{ .name = "tool" },
	{ "platform", .list = true, .of_remote = true },
	{ .name = "color" },
};

struct entry {
	const struct key *key;
	struct settings_value value;
};
struct section {
	const char *name; /* of a remote; NULL = the file's top level */
	struct entry entries[RX_COUNT(keys)];
	size_t n;
};
struct layer {
	char *path; /* NULL = no such file */
	bool trusted;
	struct section top;
	struct section *remotes;
	size_t n_remotes;
};
struct settings {
	struct arena arena;
	struct layer layers[SETTINGS_LAYERS];
	char *user_path; /* where the user's own file is or would be; NULL without a home */
};

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < RX_COUNT(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool is_pair(const char *text)
{
	const char *equals = strchr(text, '=');

	return equals && equals != text;
}

static bool read_list(struct settings *s, const char *path, const struct yamldoc *v,
		      const char *key, struct entry *out, struct rx_err *err)
{
	const char **texts = ARENA_ARRAY(&s->arena, const char *, v->n ? v->n : 1);

	for (size_t i = 0; i < v->n; i++) {
		const struct yamldoc *item = &v->items[i];

		if (item->type != YAMLDOC_SCALAR)
			return yamldoc_fail(err, path, item, "'%s': expected text", key);
		if (v->type == YAMLDOC_MAP)
			texts[i] = arena_printf(&s->arena, "%s=%s", v->keys[i].text, item->text);
		else
			texts[i] = item->text;
		if (!is_pair(texts[i]))
			return yamldoc_fail(err, path, item, "'%s': expected NAME=VALUE", key);
	}
	out->value.v = texts;
	out->value.n = v->n;
	return true;
}

static bool read_value(struct settings *s, const char *path, const struct yamldoc *name,
		       const struct yamldoc *v, const struct key *key, struct entry *out,
		       struct rx_err *err)
{
	const char **text;

	out->key = key;
	out->value.at = arena_printf(&s->arena, "%s:%u", path, name->line);
	if (v->type != YAMLDOC_SCALAR) {
		if (!key->list)
			return yamldoc_fail(err, path, v, "'%s': expected one value", key->name);
		return read_list(s, path, v, key->name, out, err);
	}
	if (key->list && !is_pair(v->text))
		return yamldoc_fail(err, path, v, "'%s': expected NAME=VALUE, a list or a map",
				    key->name);
	text = ARENA_NEW(&s->arena, const char *);
	*text = v->text;
	out->value.v = text;
	out->value.n = 1;
	return true;
}

static bool read_section(struct settings *s, const char *path, const struct yamldoc *map,
			 struct section *out, struct rx_err *err)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *name = map->keys[i].text;
		const struct key *key = find_key(name);

		if (!out->name && strcmp(name, "remotes") == 0)
			continue;
		if (!key)
			return yamldoc_fail(err, path, &map->keys[i], "unknown key '%s'", name);
		if (out->name && !key->of_remote)
			return yamldoc_fail(err, path, &map->keys[i],
					    "'%s' is not a setting of a remote", name);
		if (!read_value(s, path, &map->keys[i], &map->items[i], key, &out->entries[out->n],
				err))
			return false;
		out->n++;
	}
	return true;
}

static const struct settings_value *section_get(const struct section *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->entries[i].key->name, key) == 0)
			return &s->entries[i].value;
	return NULL;
}

static bool read_remote(struct settings *s, const char *path, const struct yamldoc *name,
			const struct yamldoc *v, struct section *out, struct rx_err *err)
{
	out->name = name->text;
	/* A name that looks like a URL could never be asked for. */
	if (!*name->text || strpbrk(name->text, ":/") || strcmp(name->text, "embedded") == 0)
		return yamldoc_fail(err, path, name, "'%s' cannot be a remote's name", name->text);
	if (v->type == YAMLDOC_SCALAR) {
		out->n = 1;
		return read_value(s, path, name, v, find_key("remote"), &out->entries[0], err);
	}
	if (v->type != YAMLDOC_MAP)
		return yamldoc_fail(err, path, v, "remote '%s': expected a URL or a map",
				    name->text);
	if (!read_section(s, path, v, out, err))
		return false;
	if (!section_get(out, "remote"))
		return yamldoc_fail(err, path, name, "remote '%s' has no 'remote: URL'",
				    name->text);
	return true;
}

static bool read_file(struct settings *s, struct layer *l, struct rx_err *err)
{
	struct yamldoc *doc;
	const struct yamldoc *remotes;

	if (!yamldoc_load(&s->arena, l->path, &doc, err))
		return false;
	if (doc->type == YAMLDOC_SCALAR && doc->plain && !*doc->text)
		return true; /* an empty file */
	if (doc->type != YAMLDOC_MAP)
		return yamldoc_fail(err, l->path, doc, "expected a map of settings");
	if (!read_section(s, l->path, doc, &l->top, err))
		return false;
	remotes = yamldoc_get(doc, "remotes");
	if (!remotes)
		return true;
	if (remotes->type != YAMLDOC_MAP)
		return yamldoc_fail(err, l->path, remotes, "'remotes': expected a map of names");
	l->remotes = ARENA_ARRAY(&s->arena, struct section, remotes->n ? remotes->n : 1);
	l->n_remotes = remotes->n;
	for (size_t i = 0; i < remotes->n; i++)
		if (!read_remote(s, l->path, &remotes->keys[i], &remotes->items[i], &l->remotes[i],
				 err))
			return false;
	return true;
}

static bool is_repository_root(const char *dir)
{
	static const char *const marks[] = { ".git", ".hg", ".jj", ".svn" };
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < RX_COUNT(marks); i++) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, marks[i]) < (int)sizeof(path) &&
		    stat(path, &st) == 0)
			return true;
	}
	return false;
}

/* A file that another user left in /tmp is no settings of ours. */
static bool is_ours(const char *path, const struct stat *st)
{
	if (st->st_uid == geteuid() || st->st_uid == 0)
		return true;
	rx_note("%s belongs to another user and is ignored", path);
	return false;
}

static bool find_nearest(const char *start_dir, char **out, struct rx_err *err)
{
	char dir[PATH_MAX];

	if (!realpath(start_dir, dir))
		return rx_fail_errno(err, "'%s'", start_dir);
	for (;;) {
		char *path = xasprintf("%s/" NEAREST_NAME, strcmp(dir, "/") == 0 ? "" : dir);
		struct stat st;

		if (stat(path, &st) == 0 && is_ours(path, &st)) {
			*out = path;
			/* A pipe that somebody left there would be waited for. */
			return S_ISREG(st.st_mode) ||
			       rx_fail(err, RX_EUSAGE, "%s: it is not a file", path);
		}
		free(path);
		if (strcmp(dir, "/") == 0 || is_repository_root(dir))
			return true;
		*strrchr(dir, '/') = '\0';
		if (!dir[0])
			dir[0] = '/', dir[1] = '\0';
	}
}

static char *user_file(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (config && config[0] == '/')
		return xasprintf("%s/remex/config.yaml", config);
	if (home && home[0] == '/')
		return xasprintf("%s/.config/remex/config.yaml", home);
	return NULL;
}

static bool load(struct settings *s, const struct settings_where *w, struct rx_err *err)
{
	struct layer *user = &s->layers[SETTINGS_USER], *nearest = &s->layers[SETTINGS_NEAREST];

	s->user_path = user_file();
	if (s->user_path && access(s->user_path, F_OK) == 0)
		user->path = xstrdup(s->user_path);
	user->trusted = true;
	if (w->config) {
		nearest->path = xstrdup(w->config);
		nearest->trusted = true;
	} else if (!find_nearest(w->start_dir, &nearest->path, err)) {
		return false;
	}
	for (size_t i = 0; i < SETTINGS_LAYERS; i++)
		if (s->layers[i].path && !read_file(s, &s->layers[i], err))
			return false;
	return true;
}

struct settings *settings_load(const struct settings_where *w, struct rx_err *err)
{
	struct settings *s = xcalloc(1, sizeof(*s));

	if (load(s, w, err))
		return s;
	/* Whatever is wrong with it, a settings file is configuration, not input. */
	err->code = RX_EUSAGE;
	settings_free(s);
	return NULL;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SETTINGS_LAYERS; i++)
		free(s->layers[i].path);
	free(s->user_path);
	arena_release(&s->arena);
	free(s);
}

bool settings_trusted(const struct settings *s, enum settings_layer layer)
{
	return s->layers[layer].trusted;
}

static const struct section *find_remote(const struct settings *s, const char *name,
					 enum settings_layer *layer_out)
{
	for (int i = SETTINGS_LAYERS; i-- > 0;) {
		const struct layer *l = &s->layers[i];

		for (size_t k = 0; k < l->n_remotes; k++) {
			if (strcmp(l->remotes[k].name, name) == 0) {
				*layer_out = (enum settings_layer)i;
				return &l->remotes[k];
			}
		}
	}
	return NULL;
}

bool settings_has_remote(const struct settings *s, const char *name, enum settings_layer *layer_out)
{
	return find_remote(s, name, layer_out) != NULL;
}

char *settings_remote_names(const struct settings *s)
{
	struct rx_buf out = { 0 };
	enum settings_layer layer;

	for (int i = SETTINGS_LAYERS; i-- > 0;) {
		const struct layer *l = &s->layers[i];

		for (size_t k = 0; k < l->n_remotes; k++) {
			if (find_remote(s, l->remotes[k].name, &layer) == &l->remotes[k])
				rx_buf_addf(&out, "%s%s", out.n ? ", " : "", l->remotes[k].name);
		}
	}
	return rx_buf_take(&out);
}

static void take(const struct settings *s, const struct section *from, enum settings_layer layer,
		 const struct settings_query *q, struct settings_value *out, size_t *n)
{
	const struct settings_value *v = section_get(from, q->key);

	if (!v)
		return;
	if (find_key(q->key)->reveals) {
		if (!s->layers[layer].trusted) {
			rx_note("%s: '%s' is ignored: it counts only from your own file (%s)",
				v->at, q->key, s->user_path ? s->user_path : "--config FILE");
			return;
		}
		if (q->endpoint_untrusted) {
			rx_note("%s: '%s' is kept from the remote that %s names; put that "
				"remote into your own file",
				v->at, q->key, s->layers[SETTINGS_NEAREST].path);
			return;
		}
	}
	out[*n] = *v;
	out[*n].of_remote = from->name != NULL;
	out[(*n)++].layer = layer;
}

size_t settings_values(const struct settings *s, const struct settings_query *q,
		       struct settings_value out[SETTINGS_VALUES])
{
	enum settings_layer layer;
	const struct section *remote = q->remote ? find_remote(s, q->remote, &layer) : NULL;
	size_t n = 0;

	if (remote)
		take(s, remote, layer, q, out, &n);
	for (int i = SETTINGS_LAYERS; i-- > 0;)
		take(s, &s->layers[i].top, (enum settings_layer)i, q, out, &n);
	return n;
}
