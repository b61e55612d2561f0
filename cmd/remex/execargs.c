/* execargs: checks and translates the arguments of `remex exec`. */
#include "execargs.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "utf8.h"

#define LIST_FILE_MAX (256u << 20)

const struct opt_choice execargs_symlinks[] = { { "preserve", WALK_PRESERVE },
						{ "resolve", WALK_RESOLVE },
						{ NULL, 0 } };

bool execargs_patterns(const struct opt_list *regexes, struct pattern_list *out, struct rx_err *err)
{
	out->v = xcalloc(regexes->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < regexes->n; i++) {
		out->v[i] = pattern_new(regexes->v[i], err);
		if (!out->v[i])
			return rx_wrap(err, "--exclude");
		out->n++;
	}
	return true;
}

void execargs_release_patterns(struct pattern_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		pattern_free((struct pattern *)l->v[i]);
	free(l->v);
	*l = (struct pattern_list){ 0 };
}

void execargs_release(struct exec_args *args)
{
	struct opt_list *lists[] = { &args->inputs,           &args->input_lists,  &args->maps,
				     &args->virtuals,         &args->excludes,     &args->outputs,
				     &args->optional_outputs, &args->output_lists, &args->env,
				     &args->platform };

	for (size_t i = 0; i < RX_COUNT(lists); i++)
		opt_list_release(lists[i]);
	execargs_release_patterns(&args->patterns);
	pattern_free(args->download_match);
	connection_release(&args->connection);
}

/* One path a line, any bytes but newline; NUL-separated when the file has NULs. "-" is stdin. */
static bool read_list(const char *option, const char *path, struct arena *a, struct opt_list *out,
		      struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { .max = LIST_FILE_MAX };
	bool ok = strcmp(path, "-") == 0 ? file_read_fd(STDIN_FILENO, LIST_FILE_MAX, &text, err)
					 : file_read(AT_FDCWD, path, LIST_FILE_MAX, &text, err);
	const char *p = rx_buf_str(&text), *end = p + text.n;
	char separator;

	if (!ok)
		return rx_wrap(err, "%s", option);
	separator = memchr(p, '\0', text.n) ? '\0' : '\n';
	while (p < end) {
		const char *stop = memchr(p, separator, (size_t)(end - p));

		if (!stop)
			stop = end;
		if (stop != p)
			opt_list_add(out, arena_strn(a, p, (size_t)(stop - p)));
		p = stop + 1;
	}
	return true;
}

/* "LEFT=RIGHT" at the first '=' that no backslash escapes; "\=" and "\\" stand for themselves in
 * LEFT. */
static bool split_escaped(const char *option, const char *text, struct arena *a, const char **left,
			  const char **right, struct rx_err *err)
{
	char *out = arena_str(a, text), *to = out;
	const char *p = text;

	for (; *p && *p != '='; p++) {
		if (*p == '\\' && (p[1] == '=' || p[1] == '\\'))
			p++;
		*to++ = *p;
	}
	if (*p != '=')
		return rx_fail(err, RX_EUSAGE, "%s '%s': '=' is missing", option, text);
	*to = '\0';
	*left = out;
	*right = p + 1;
	return true;
}

/* A path below the base as the protocol wants it: clean, "" for the base itself. */
static bool clean_path(const char *option, const char *path, const char *base, struct arena *a,
		       const char **out, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *clean = NULL;

	if (path[0] == '/')
		return rx_fail(err, RX_EUSAGE, "%s '%s': expected a relative path", option, path);
	if (!*path)
		return rx_fail(err, RX_EUSAGE, "%s: the path is empty", option);
	clean = path_normalize(path);
	if (!clean)
		return rx_fail(err, RX_EUSAGE, "%s '%s': the path leads out of the %s", option,
			       path, base);
	*out = arena_str(a, clean);
	return true;
}

/* Inputs are relative to the root; an absolute path below it is as good. */
static const char *below_root(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (path[0] != '/' || strcmp(root, "/") == 0 || strncmp(path, root, n) != 0)
		return path;
	if (path[n] == '\0')
		return ".";
	return path[n] == '/' && path[n + 1] && path[n + 1] != '/' ? path + n + 1 : path;
}

static bool add_input(const char *option, const char *path, const char *root, struct arena *a,
		      struct walk_input *out, struct rx_err *err)
{
	const char *clean = NULL;

	if (!clean_path(option, below_root(path, root), "root", a, &clean, err)) {
		rx_hint(err, "inputs are below the root (%s); --input-map brings in others", root);
		return false;
	}
	out->remote = clean;
	out->local = *clean ? clean : ".";
	return true;
}

static bool add_mapped(const char *text, struct arena *a, struct walk_input *out,
		       struct rx_err *err)
{
	const char *local = NULL, *remote = NULL;
	char here[PATH_MAX];

	if (!split_escaped("--input-map", text, a, &local, &remote, err) ||
	    !clean_path("--input-map", remote, "root", a, &out->remote, err))
		return false;
	if (!*local)
		return rx_fail(err, RX_EUSAGE, "--input-map '%s': the local path is empty", text);
	if (local[0] == '/') {
		out->local = local;
		return true;
	}
	if (!getcwd(here, sizeof(here)))
		return rx_fail_errno(err, "the current directory");
	out->local = arena_printf(a, "%s/%s", here, local);
	return true;
}

static bool add_virtual(const char *text, struct arena *a, struct walk_input *out,
			struct rx_err *err)
{
	const char *remote = NULL, *content = NULL;

	if (!split_escaped("--virtual", text, a, &remote, &content, err) ||
	    !clean_path("--virtual", remote, "root", a, &out->remote, err))
		return false;
	if (!*out->remote)
		return rx_fail(err, RX_EUSAGE, "--virtual '%s': the root is no file", text);
	out->text = content;
	out->text_len = strlen(content);
	return true;
}

static bool collect_inputs(struct exec_args *args, struct arena *a, struct exec_options *o,
			   struct rx_err *err)
{
	RX_CLEANUP(opt_list_release) struct opt_list listed = { 0 };
	struct walk_input *v;
	size_t n = 0;

	for (size_t i = 0; i < args->input_lists.n; i++)
		if (!read_list("--input-list", args->input_lists.v[i], a, &listed, err))
			return false;
	v = ARENA_ARRAY(a, struct walk_input,
			args->inputs.n + listed.n + args->maps.n + args->virtuals.n + 1);
	for (size_t i = 0; i < args->inputs.n; i++)
		if (!add_input("--input", args->inputs.v[i], o->root, a, &v[n++], err))
			return false;
	for (size_t i = 0; i < listed.n; i++)
		if (!add_input("--input-list", listed.v[i], o->root, a, &v[n++], err))
			return false;
	for (size_t i = 0; i < args->maps.n; i++)
		if (!add_mapped(args->maps.v[i], a, &v[n++], err))
			return false;
	for (size_t i = 0; i < args->virtuals.n; i++)
		if (!add_virtual(args->virtuals.v[i], a, &v[n++], err))
			return false;
	o->inputs = v;
	o->n_inputs = n;
	if (!args->input_root)
		return true;
	if (n)
		return rx_fail(err, RX_EUSAGE, "--input-root and other inputs exclude each other");
	if (!digest_parse(args->input_root, &args->input_root_digest, err))
		return rx_wrap(err, "--input-root");
	o->input_root = &args->input_root_digest;
	return true;
}

/* Clean, and its trailing '/' (a directory) kept. */
static bool add_output(const char *option, const char *path, bool is_optional, struct arena *a,
		       const char **paths, bool *optional, size_t *n, struct rx_err *err)
{
	const char *clean = NULL;
	size_t length = strlen(path);

	if (!clean_path(option, path, "working directory", a, &clean, err))
		return false;
	if (!*clean)
		return rx_fail(err, RX_EUSAGE, "%s '%s': name a path below the working directory",
			       option, path);
	paths[*n] = path[length - 1] == '/' ? arena_printf(a, "%s/", clean) : clean;
	optional[(*n)++] = is_optional;
	return true;
}

static bool collect_outputs_asked(struct exec_args *args, struct arena *a, struct exec_options *o,
				  struct rx_err *err)
{
	RX_CLEANUP(opt_list_release) struct opt_list listed = { 0 };
	const char **paths;
	bool *optional;
	size_t n = 0, most;

	for (size_t i = 0; i < args->output_lists.n; i++)
		if (!read_list("--output-list", args->output_lists.v[i], a, &listed, err))
			return false;
	most = args->outputs.n + listed.n + args->optional_outputs.n;
	paths = ARENA_ARRAY(a, const char *, most + 1);
	optional = ARENA_ARRAY(a, bool, most + 1);
	for (size_t i = 0; i < args->outputs.n; i++)
		if (!add_output("--output", args->outputs.v[i], false, a, paths, optional, &n, err))
			return false;
	for (size_t i = 0; i < listed.n; i++)
		if (!add_output("--output-list", listed.v[i], false, a, paths, optional, &n, err))
			return false;
	for (size_t i = 0; i < args->optional_outputs.n; i++)
		if (!add_output("--optional-output", args->optional_outputs.v[i], true, a, paths,
				optional, &n, err))
			return false;
	o->outputs = paths;
	o->output_optional = optional;
	o->n_outputs = n;
	return true;
}

/* NAME=VALUE, or with `inherit` a bare NAME whose value is taken from our environment. */
static bool pairs(const char *option, const struct opt_list *l, bool inherit, struct arena *a,
		  const struct action_pair **out, size_t *n_out, struct rx_err *err)
{
	struct action_pair *v = ARENA_ARRAY(a, struct action_pair, l->n + 1);
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const char *text = l->v[i], *equals = strchr(text, '=');

		if (equals == text || !*text)
			return rx_fail(err, RX_EUSAGE, "%s '%s': the name is empty", option, text);
		if (!equals && !inherit)
			return rx_fail(err, RX_EUSAGE, "%s '%s': expected NAME=VALUE", option,
				       text);
		if (!equals && !getenv(text)) {
			rx_note("%s %s: not set here, so the action does not get it", option, text);
			continue;
		}
		v[n].name = equals ? arena_strn(a, text, (size_t)(equals - text)) : text;
		v[n++].value = equals ? equals + 1 : getenv(text);
	}
	*out = v;
	*n_out = n;
	return true;
}

/* The last -e of a name counts, as with env(1). */
static void keep_last(const struct action_pair **pairs_io, size_t *n_io)
{
	struct action_pair *v = (struct action_pair *)*pairs_io;
	size_t n = 0;

	for (size_t i = 0; i < *n_io; i++) {
		bool again = false;

		for (size_t k = i + 1; k < *n_io && !again; k++)
			again = strcmp(v[k].name, v[i].name) == 0;
		if (!again)
			v[n++] = v[i];
	}
	*n_io = n;
}

static bool parse_download(struct exec_args *args, struct exec_options *o, struct rx_err *err)
{
	const char *text = args->download;

	o->download = EXEC_DOWNLOAD_ALL;
	if (!text || strcmp(text, "all") == 0)
		return true;
	if (strcmp(text, "none") == 0) {
		o->download = EXEC_DOWNLOAD_NONE;
		return true;
	}
	if (strncmp(text, "match:", 6) != 0)
		return rx_fail(err, RX_EUSAGE,
			       "--download: '%s' is not one of all, none or match:REGEX", text);
	args->download_match = pattern_new(text + 6, err);
	if (!args->download_match)
		return rx_wrap(err, "--download");
	o->download = EXEC_DOWNLOAD_MATCH;
	o->download_match = args->download_match;
	return true;
}

static bool choose_root(const struct exec_args *args, struct arena *a, struct exec_options *o,
			struct rx_err *err)
{
	char root[PATH_MAX];
	struct stat st;

	if (!realpath(args->root ? args->root : ".", root))
		return rx_fail_errno(err, "--root '%s'", args->root ? args->root : ".");
	if (stat(root, &st) != 0)
		return rx_fail_errno(err, "--root '%s'", root);
	if (!S_ISDIR(st.st_mode))
		return rx_fail(err, RX_EUSAGE, "--root '%s' is not a directory", root);
	o->root = arena_str(a, root);
	o->cwd = "";
	if (args->cwd && !clean_path("--cwd", args->cwd, "root", a, &o->cwd, err))
		return false;
	o->out_dir = args->out_dir;
	return true;
}

static bool check_together(const struct exec_args *args, struct rx_err *err)
{
	const struct {
		bool a, b;
		const char *a_name, *b_name;
	} excluded[] = {
		{ args->dry_run, args->upload_only, "dry-run", "upload-only" },
		{ args->dry_run, args->require_cached, "dry-run", "require-cached" },
		{ args->upload_only, args->require_cached, "upload-only", "require-cached" },
		{ args->require_cached, args->no_cache_lookup, "require-cached",
		  "no-cache-lookup" },
		{ args->require_cached, args->do_not_cache, "require-cached", "do-not-cache" },
	};

	for (size_t i = 0; i < RX_COUNT(excluded); i++)
		if (excluded[i].a && excluded[i].b)
			return rx_fail(err, RX_EUSAGE, "--%s and --%s exclude each other",
				       excluded[i].a_name, excluded[i].b_name);
	return true;
}

/* The protocol's strings are UTF-8. */
static bool check_text(const char *option, const char *text, struct rx_err *err)
{
	return utf8_valid(text, strlen(text)) ||
	       rx_fail(err, RX_EUSAGE, "%s '%s' is not UTF-8, and the protocol has nothing else",
		       option, text);
}

static bool check_pairs(const char *option, const struct action_pair *v, size_t n,
			struct rx_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!check_text(option, v[i].name, err))
			return false;
		if (!utf8_valid(v[i].value, strlen(v[i].value)))
			return rx_fail(err, RX_EUSAGE,
				       "%s: the value of '%s' is not UTF-8, and "
				       "the protocol has nothing else",
				       option, v[i].name);
	}
	return true;
}

static bool check_texts(const struct exec_options *o, struct rx_err *err)
{
	for (size_t i = 0; i < o->n_argv; i++)
		if (!check_text("the command's argument", o->argv[i], err))
			return false;
	for (size_t i = 0; i < o->n_outputs; i++)
		if (!check_text("--output", o->outputs[i], err))
			return false;
	return (!o->cwd || check_text("--cwd", o->cwd, err)) &&
	       check_pairs("--env", o->env, o->n_env, err) &&
	       check_pairs("--platform", o->platform, o->n_platform, err);
}

bool execargs_options(struct exec_args *args, const struct opt_list *command, struct arena *a,
		      struct exec_options *out, struct rx_err *err)
{
	struct exec_options o = {
		.function = (enum digest_function)args->connection.function,
		.symlinks = (enum walk_symlinks)args->symlinks,
		.strategy = (enum exec_strategy)args->strategy,
		.argv = command->v,
		.n_argv = command->n,
		.timeout_ms = args->timeout_ms,
		.priority = args->priority,
		.salt = args->salt,
		.do_not_cache = args->do_not_cache,
		.no_cache_lookup = args->no_cache_lookup,
		.require_cached = args->require_cached,
		.upload_only = args->upload_only,
		.dry_run = args->dry_run,
	};

	if (!command->n || !*command->v[0])
		return rx_fail(err, RX_EUSAGE, "the command is missing");
	if (!check_together(args, err) || !choose_root(args, a, &o, err) ||
	    !collect_inputs(args, a, &o, err) || !collect_outputs_asked(args, a, &o, err) ||
	    !pairs("--env", &args->env, true, a, &o.env, &o.n_env, err) ||
	    !pairs("--platform", &args->platform, false, a, &o.platform, &o.n_platform, err) ||
	    !parse_download(args, &o, err) ||
	    !execargs_patterns(&args->excludes, &args->patterns, err) || !check_texts(&o, err))
		return false;
	keep_last(&o.env, &o.n_env);
	o.excludes = args->patterns.v;
	o.n_excludes = args->patterns.n;
	*out = o;
	return true;
}
