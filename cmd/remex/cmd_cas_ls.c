/* cmd_cas_ls: `remex cas ls`: what a Directory in the CAS holds. */
#include "cas.h"
#include "connection.h"
#include "limit.h"
#include "resultjson.h"
#include "wire_tree.h"

struct listing {
	struct cmd *c;
	struct client *client;
	bool recursive;
	size_t entries;
};

static void add_entry(struct listing *l, const char *prefix, const char *kind, const char *name,
		      const struct digest *d, const char *target)
{
	struct cmd *c = l->c;
	char text[DIGEST_TEXT_MAX] = "-";
	struct json j;

	if (!c->json) {
		if (d)
			digest_format(d, text);
		rx_buf_addf(&c->out, "%-4s %s %s%s%s%s\n", kind, text, prefix, name,
			    target ? " -> " : "", target ? target : "");
		return;
	}
	j = cmd_json(c);
	json_key(&j, "path");
	json_str(&j, arena_printf(&c->arena, "%s%s", prefix, name));
	json_kv_str(&j, "kind", d ? (strcmp(kind, "dir") == 0 ? "directory" : "file") : "symlink");
	if (d)
		resultjson_add_digest(&j, "digest", d);
	if (d && strcmp(kind, "dir") != 0)
		json_kv_bool(&j, "is_executable", strcmp(kind, "exec") == 0);
	if (target)
		json_kv_str(&j, "target", target);
	cmd_json_end(c, &j);
}

/* All directories of one level are read at once: a deep tree is few round trips, not one each. */
static bool read_children(struct listing *l, const struct directory *d, struct rx_view *out,
			  struct arena *a, struct rx_err *err)
{
	struct digest *want = ARENA_ARRAY(a, struct digest, d->n_dirs + 1);

	for (size_t i = 0; i < d->n_dirs; i++)
		want[i] = d->dirs[i].digest;
	return source_read_many(cas_source(l->client), want, d->n_dirs, LIMIT_DIRECTORY_BYTES,
				LIMIT_TREE_BYTES, a, out, err);
}

static bool list(struct listing *l, const struct digest *d, struct rx_view bytes,
		 const char *prefix, unsigned depth, struct rx_err *err);

static bool list_children(struct listing *l, const struct directory *dir, const char *prefix,
			  unsigned depth, struct arena *a, struct rx_err *err)
{
	struct rx_view *bytes = ARENA_ARRAY(a, struct rx_view, dir->n_dirs + 1);
	char text[DIGEST_TEXT_MAX];

	if (!read_children(l, dir, bytes, a, err))
		return false;
	for (size_t i = 0; i < dir->n_dirs; i++) {
		const struct directory_node *n = &dir->dirs[i];
		const char *below = arena_printf(a, "%s%s/", prefix, n->name);

		add_entry(l, prefix, "dir", n->name, &n->digest, NULL);
		if (!bytes[i].p) {
			digest_format(&n->digest, text);
			return rx_fail(err, RX_ENOENT, "directory '%s' (%s) is missing on %s",
				       below, text, client_display(l->client, CLIENT_CAS));
		}
		if (!list(l, &n->digest, bytes[i], below, depth + 1, err))
			return false;
	}
	return true;
}

static bool list(struct listing *l, const struct digest *d, struct rx_view bytes,
		 const char *prefix, unsigned depth, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	char text[DIGEST_TEXT_MAX];
	struct directory dir;

	digest_format(d, text);
	if (depth > LIMIT_TREE_DEPTH)
		return rx_fail(err, RX_ELIMIT, "'%s' is more than %d levels deep", prefix,
			       LIMIT_TREE_DEPTH);
	if (!wire_directory_unpack(&a, bytes, (enum digest_function)d->function, &dir, err))
		return rx_wrap(err, "%s is not a Directory", text);
	l->entries += dir.n_files + dir.n_dirs + dir.n_links;
	if (l->entries > LIMIT_TREE_NODES)
		return rx_fail(err, RX_ELIMIT, "more than %d entries", LIMIT_TREE_NODES);
	if (dir.marks)
		cmd_say(l->c, "%s%s is not canonical: execution refuses it", prefix, text);
	for (size_t i = 0; i < dir.n_files; i++)
		add_entry(l, prefix, dir.files[i].is_executable ? "exec" : "file",
			  dir.files[i].name, &dir.files[i].digest, NULL);
	for (size_t i = 0; i < dir.n_links; i++)
		add_entry(l, prefix, "link", dir.links[i].name, NULL, dir.links[i].target);
	if (l->recursive)
		return list_children(l, &dir, prefix, depth, &a, err);
	for (size_t i = 0; i < dir.n_dirs; i++)
		add_entry(l, prefix, "dir", dir.dirs[i].name, &dir.dirs[i].digest, NULL);
	return true;
}

static int ls(struct cmd *c, struct connection *k, const struct digest *d, bool recursive)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	struct listing l = { .c = c, .recursive = recursive };
	struct rx_view bytes = { NULL, 0 };

	if (!session_open(&s, c, k, false, &c->err))
		return cmd_fail(c);
	l.client = s.client;
	if (!source_read_many(cas_source(s.client), d, 1, LIMIT_DIRECTORY_BYTES,
			      LIMIT_DIRECTORY_BYTES, &c->arena, &bytes, &c->err))
		return cmd_fail(c);
	if (!bytes.p) {
		rx_fail(&c->err, RX_ENOENT, "it is missing on %s",
			client_display(s.client, CLIENT_CAS));
		(void)!cmd_fail(c);
		return EXIT_NO;
	}
	if (!list(&l, d, bytes, "", 0, &c->err)) {
		bool missing = c->err.code == RX_ENOENT;
		int code = cmd_fail(c);

		return missing ? EXIT_NO : code;
	}
	return cmd_done(c, EXIT_YES);
}

int cmd_cas_ls(struct cmd *c, int argc, char **argv)
{
	struct connection k = { 0 };
	bool recursive = false;
	const struct opt own[] = {
		OPT_FLAG('R', "recursive", &recursive, "everything below it, with paths"), OPT_END
	};
	struct digest d;
	int code;

	if (!cmd_parse(c, own, &k, argc, argv) || !cmd_operands(c, 1, 1, "DIGEST"))
		code = c->exit_code;
	else if (!digest_parse(c->parser.operands.v[0], &d, &c->err))
		code = cmd_usage_of_input(c);
	else
		code = ls(c, &k, &d, recursive);
	connection_release(&k);
	return code;
}
