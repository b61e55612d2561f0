/* cmd_cas: `remex cas put|get|cat|has`: blobs and directories to and from the CAS. */
#include <unistd.h>

#include "bytestream.h"
#include "execargs.h"
#include "file.h"
#include "resultjson.h"
#include "transfer.h"

#define CAS_POOL_QUEUE 1024
#define MISSING_NAMED  5

static bool parse_digests(struct cmd *c, struct digest_list *out)
{
	for (size_t i = 0; i < c->parser.operands.n; i++) {
		struct digest d;

		if (!digest_parse(c->parser.operands.v[i], &d, &c->err))
			return false;
		digest_list_add(out, &d);
	}
	return true;
}

/* What a user asked for is not there: a negative answer, told like an error. */
static int say_missing(struct cmd *c, const struct client *client,
		       const struct digest_list *missing)
{
	char text[DIGEST_TEXT_MAX];

	rx_fail(&c->err, RX_ENOENT, "%zu blob%s missing on %s", missing->n,
		missing->n == 1 ? " is" : "s are", client_display(client, CLIENT_CAS));
	for (size_t i = 0; i < missing->n && i < MISSING_NAMED; i++) {
		digest_format(&missing->v[i], text);
		rx_hint(&c->err, "%s", text);
	}
	if (missing->n > MISSING_NAMED)
		rx_hint(&c->err, "and %zu more", missing->n - MISSING_NAMED);
	(void)!cmd_fail(c);
	return EXIT_NO;
}

struct put_args {
	bool tree, dry_run;
	int symlinks;
	struct opt_list excludes;
	struct pattern_list patterns;
	struct connection connection;
};

static void put_args_release(struct put_args *x)
{
	opt_list_release(&x->excludes);
	execargs_release_patterns(&x->patterns);
	connection_release(&x->connection);
}

static void add_put(struct cmd *c, const char *path, const struct transfer_put_result *r)
{
	char text[DIGEST_TEXT_MAX];
	struct json j;

	if (!c->json) {
		digest_format(&r->digest, text);
		rx_buf_addf(&c->out, "%s %s\n", text, path);
		if (digest_is_set(&r->tree_digest)) {
			digest_format(&r->tree_digest, text);
			rx_buf_addf(&c->out, "%s %s (tree)\n", text, path);
		}
		return;
	}
	j = cmd_json(c);
	json_kv_str(&j, "path", path);
	json_kv_str(&j, "kind", r->kind == NODE_DIRECTORY ? "directory" : "file");
	resultjson_add_digest(&j, "digest", &r->digest);
	resultjson_add_digest(&j, "tree_digest", &r->tree_digest);
	json_kv_int(&j, "files", (int64_t)r->files);
	json_kv_int(&j, "bytes", r->bytes);
	json_kv_int(&j, "uploaded_blobs", (int64_t)r->uploaded_blobs);
	json_kv_int(&j, "uploaded_bytes", r->uploaded_bytes);
	cmd_json_end(c, &j);
}

static int put_all(struct cmd *c, struct put_args *x)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	struct transfer_put_options o = {
		.symlinks = (enum walk_symlinks)x->symlinks,
		.excludes = x->patterns.v,
		.n_excludes = x->patterns.n,
		.want_tree = x->tree,
		.dry_run = x->dry_run,
	};
	enum digest_function f = (enum digest_function)x->connection.function;

	if (x->dry_run)
		s.pool = pool_new(0, CAS_POOL_QUEUE);
	else if (!session_open(&s, c, &x->connection, false, &c->err))
		return cmd_fail(c);
	for (size_t i = 0; i < c->parser.operands.n; i++) {
		const char *path = c->parser.operands.v[i];
		struct transfer_put_result r = { 0 };

		if (!transfer_put(s.client, f ? f : DIGEST_SHA256, s.pool, &o, path, &r, &c->err))
			return cmd_fail(c);
		add_put(c, path, &r);
		if (!cmd_flush(c))
			return c->exit_code;
	}
	return EXIT_YES;
}

int cmd_cas_put(struct cmd *c, int argc, char **argv)
{
	RX_CLEANUP(put_args_release) struct put_args x = { 0 };
	const struct opt own[] = {
		OPT_FLAG(0, "tree", &x.tree, "upload and print a directory's Tree too"),
		OPT_CHOICE(0, "symlinks", &x.symlinks, execargs_symlinks,
			   "keep symlinks, or follow them"),
		OPT_LIST(0, "exclude", &x.excludes, "REGEX",
			 "leave out what lies in a directory and matches"),
		OPT_FLAG(0, "dry-run", &x.dry_run, "print digests, send nothing"), OPT_END
	};

	if (!cmd_parse(c, own, &x.connection, argc, argv) || !cmd_operands(c, 1, SIZE_MAX, "PATH"))
		return c->exit_code;
	if (!execargs_patterns(&x.excludes, &x.patterns, &c->err))
		return cmd_fail(c);
	return put_all(c, &x);
}

struct get_args {
	const char *output;
	bool dir, tree, force;
	struct connection connection;
};

static void add_got(struct cmd *c, const struct get_args *x, const struct digest *d,
		    const struct transfer_get_result *r)
{
	struct json j;

	if (!c->json)
		return;
	j = cmd_json(c);
	json_kv_str(&j, "path", x->output);
	resultjson_add_digest(&j, "digest", d);
	json_kv_int(&j, "files", (int64_t)r->files);
	json_kv_int(&j, "directories", (int64_t)r->directories);
	json_kv_int(&j, "symlinks", (int64_t)r->symlinks);
	json_kv_int(&j, "bytes", r->bytes);
	cmd_json_end(c, &j);
}

static int get(struct cmd *c, struct get_args *x, const struct digest *d)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	RX_CLEANUP(digest_list_release) struct digest_list missing = { 0 };
	struct transfer_get_result r = { 0 };
	enum transfer_kind kind =
		x->tree ? TRANSFER_TREE : (x->dir ? TRANSFER_DIRECTORY : TRANSFER_BLOB);

	if (!session_open(&s, c, &x->connection, false, &c->err) ||
	    !transfer_get(s.client, d, kind, x->output, x->force, &missing, &r, &c->err))
		return cmd_fail(c);
	if (missing.n)
		return say_missing(c, s.client, &missing);
	add_got(c, x, d, &r);
	return cmd_done(c, EXIT_YES);
}

int cmd_cas_get(struct cmd *c, int argc, char **argv)
{
	RX_CLEANUP(digest_list_release) struct digest_list want = { 0 };
	struct get_args x = { 0 };
	const struct opt own[] = {
		OPT_STR('o', "output", &x.output, "PATH", "where it goes"),
		OPT_FLAG(0, "dir", &x.dir, "DIGEST is a Directory: fetch all below it"),
		OPT_FLAG(0, "tree", &x.tree, "DIGEST is a Tree: fetch all below it"),
		OPT_FLAG(0, "force", &x.force, "overwrite files that are there"), OPT_END
	};
	int code;

	if (!cmd_parse(c, own, &x.connection, argc, argv) || !cmd_operands(c, 1, 1, "DIGEST"))
		code = c->exit_code;
	else if (!x.output || !*x.output)
		code = cmd_usage(c, "--output PATH is missing");
	else if (x.dir && x.tree)
		code = cmd_usage(c, "--dir and --tree exclude each other");
	else if (!parse_digests(c, &want))
		code = cmd_usage_of_input(c);
	else
		code = get(c, &x, &want.v[0]);
	connection_release(&x.connection);
	return code;
}

static bool write_stdout(void *ctx RX_UNUSED, struct rx_view bytes, struct rx_err *err)
{
	return file_write_fd(STDOUT_FILENO, bytes.p, bytes.n, err) ||
	       rx_wrap(err, "standard output");
}

static int cat(struct cmd *c, struct connection *k, const struct digest_list *want)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	bool missing = false;

	if (!session_open(&s, c, k, false, &c->err) ||
	    !bytestream_read(s.client, &want->v[0], write_stdout, NULL, &missing, &c->err))
		return cmd_fail(c);
	return missing ? say_missing(c, s.client, want) : EXIT_YES;
}

int cmd_cas_cat(struct cmd *c, int argc, char **argv)
{
	RX_CLEANUP(digest_list_release) struct digest_list want = { 0 };
	struct connection k = { 0 };
	const struct opt own[] = { OPT_END };
	int code;

	if (!cmd_parse(c, own, &k, argc, argv) || !cmd_operands(c, 1, 1, "DIGEST"))
		code = c->exit_code;
	else if (!parse_digests(c, &want))
		code = cmd_usage_of_input(c);
	else
		code = cat(c, &k, &want);
	connection_release(&k);
	return code;
}

static int has(struct cmd *c, struct connection *k, const struct digest_list *want)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	RX_CLEANUP(digest_list_release) struct digest_list missing = { 0 };
	char text[DIGEST_TEXT_MAX];
	struct json j;

	if (!session_open(&s, c, k, false, &c->err) ||
	    !cas_find_missing(s.client, want->v, want->n, &missing, &c->err))
		return cmd_fail(c);
	if (c->json) {
		j = cmd_json(c);
		json_key(&j, "missing");
		json_array(&j);
		for (size_t i = 0; i < missing.n; i++) {
			digest_format(&missing.v[i], text);
			json_str(&j, text);
		}
		json_end(&j, ']');
		cmd_json_end(c, &j);
	} else {
		for (size_t i = 0; i < missing.n; i++) {
			digest_format(&missing.v[i], text);
			rx_buf_addf(&c->out, "%s\n", text);
		}
	}
	return cmd_done(c, missing.n ? EXIT_NO : EXIT_YES);
}

int cmd_cas_has(struct cmd *c, int argc, char **argv)
{
	RX_CLEANUP(digest_list_release) struct digest_list want = { 0 };
	struct connection k = { 0 };
	const struct opt own[] = { OPT_END };
	int code;

	if (!cmd_parse(c, own, &k, argc, argv) || !cmd_operands(c, 1, SIZE_MAX, "DIGEST"))
		code = c->exit_code;
	else if (!parse_digests(c, &want))
		code = cmd_usage_of_input(c);
	else
		code = has(c, &k, &want);
	connection_release(&k);
	return code;
}
