/* cmd_ac: `remex ac get|put`: results in the action cache. */
#include "ac.h"

#include <fcntl.h>

#include "cas.h"
#include "connection.h"
#include "file.h"
#include "resultjson.h"

#define RESULT_FILE_MAX (64u << 20)

static void add_line_digest(struct rx_buf *out, const char *what, const struct digest *d)
{
	char text[DIGEST_TEXT_MAX];

	if (!digest_is_set(d))
		return;
	digest_format(d, text);
	rx_buf_addf(out, "%s %s\n", what, text);
}

static void add_output(struct rx_buf *out, const struct result_output *o)
{
	char text[DIGEST_TEXT_MAX] = "-";

	switch (o->kind) {
	case NODE_FILE:
		digest_format(&o->digest, text);
		rx_buf_addf(out, "%s %s %s\n", o->is_executable ? "exec" : "file", text, o->path);
		break;
	case NODE_DIRECTORY:
		if (digest_is_set(&o->digest))
			digest_format(&o->digest, text);
		rx_buf_addf(out, "dir %s %s\n", text, o->path);
		if (digest_is_set(&o->tree_digest)) {
			digest_format(&o->tree_digest, text);
			rx_buf_addf(out, "tree %s %s\n", text, o->path);
		}
		break;
	case NODE_SYMLINK:
		rx_buf_addf(out, "link - %s -> %s\n", o->path, o->target);
		break;
	case NODE_UNKNOWN:
		break;
	}
}

static void add_result(struct cmd *c, const struct digest *action, const struct result *r)
{
	struct json j;

	if (!c->json) {
		rx_buf_addf(&c->out, "exit %d\n", r->exit_code);
		for (size_t i = 0; i < r->n_outputs; i++)
			add_output(&c->out, &r->outputs[i]);
		add_line_digest(&c->out, "stdout", &r->stdout_digest);
		add_line_digest(&c->out, "stderr", &r->stderr_digest);
		if (r->worker && *r->worker)
			rx_buf_addf(&c->out, "worker %s\n", r->worker);
		return;
	}
	j = cmd_json(c);
	resultjson_add_digest(&j, "action_digest", action);
	json_kv_int(&j, "exit_code", r->exit_code);
	resultjson_add(&j, r);
	resultjson_add_text(&j, "stdout", r->stdout_raw);
	resultjson_add_text(&j, "stderr", r->stderr_raw);
	if (r->worker && *r->worker)
		json_kv_str(&j, "worker", r->worker);
	cmd_json_end(c, &j);
}

static int get(struct cmd *c, struct connection *k, const struct digest *action)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	struct ac_get_options o = { 0 };
	struct result r = { 0 };
	bool hit = false;

	if (!session_open(&s, c, k, false, &c->err) ||
	    !ac_get(s.client, action, &o, &c->arena, &hit, &r, &c->err))
		return cmd_fail(c);
	if (!hit) {
		rx_fail(&c->err, RX_ENOENT, "not cached on %s",
			client_display(s.client, CLIENT_AC));
		(void)!cmd_fail(c);
		return EXIT_NO;
	}
	add_result(c, action, &r);
	return cmd_done(c, EXIT_YES);
}

/* The command line of both: an action's digest. False: c->exit_code is what to exit with. */
static bool parse(struct cmd *c, const struct opt *own, struct connection *k, int argc, char **argv,
		  struct digest *action)
{
	if (!cmd_parse(c, own, k, argc, argv) || !cmd_operands(c, 1, 1, "DIGEST"))
		return false;
	if (!digest_parse(c->parser.operands.v[0], action, &c->err)) {
		c->exit_code = cmd_usage_of_input(c);
		return false;
	}
	return true;
}

int cmd_ac_get(struct cmd *c, int argc, char **argv)
{
	struct connection k = { 0 };
	const struct opt own[] = { OPT_END };
	struct digest action;
	int code;

	if (!parse(c, own, &k, argc, argv, &action))
		code = c->exit_code;
	else
		code = get(c, &k, &action);
	connection_release(&k);
	return code;
}

/* A result holds text by digest: what the file has as text only goes to the CAS first. */
static bool upload_text(struct client *client, struct cas_upload *u, const char *name,
			struct rx_view raw, struct digest *digest, struct rx_err *err)
{
	struct blob b = { .bytes = raw, .dirfd = AT_FDCWD, .name = name };
	const struct caps *caps;

	if (digest_is_set(digest) || !raw.n)
		return true;
	caps = caps_get(client, err);
	if (!caps)
		return false;
	digest_of_view(caps->function, raw, &b.digest);
	*digest = b.digest;
	return cas_upload_sink(u)->put(cas_upload_sink(u), &b, err);
}

static bool upload_texts(struct client *client, struct result *r, struct rx_err *err)
{
	struct cas_upload *u = cas_upload_new(client);
	bool ok = upload_text(client, u, "stdout", r->stdout_raw, &r->stdout_digest, err) &&
		  upload_text(client, u, "stderr", r->stderr_raw, &r->stderr_digest, err) &&
		  cas_upload_finish(u, err);

	cas_upload_free(u);
	return ok;
}

static int put(struct cmd *c, struct connection *k, const struct digest *action, struct result *r)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	bool stored = false;
	struct json j;

	if (!session_open(&s, c, k, false, &c->err) || !upload_texts(s.client, r, &c->err) ||
	    !ac_put(s.client, action, r, &stored, &c->err))
		return cmd_fail(c);
	if (!stored) {
		rx_fail(&c->err, RX_ERPC, "%s does not take results from us",
			client_display(s.client, CLIENT_AC));
		c->err.grpc_status = 7;
		(void)!cmd_fail(c);
		return EXIT_NO;
	}
	if (c->json) {
		j = cmd_json(c);
		resultjson_add_digest(&j, "action_digest", action);
		json_kv_bool(&j, "stored", true);
		cmd_json_end(c, &j);
	}
	return cmd_done(c, EXIT_YES);
}

static bool read_result(struct cmd *c, const char *path, struct result *out)
{
	struct rx_buf text = { .max = RESULT_FILE_MAX };
	bool ok = file_read(AT_FDCWD, path, RESULT_FILE_MAX, &text, &c->err) &&
		  resultjson_read(&c->arena, path, arena_view(&c->arena, rx_view_of(&text)), out,
				  &c->err);

	rx_buf_release(&text);
	return ok || rx_wrap(&c->err, "--result");
}

int cmd_ac_put(struct cmd *c, int argc, char **argv)
{
	struct connection k = { 0 };
	const char *result_file = NULL;
	const struct opt own[] = {
		OPT_STR(0, "result", &result_file, "FILE",
			"the result, as 'ac get --json' or 'exec --result' write it"),
		OPT_END
	};
	struct result r = { 0 };
	struct digest action;
	int code;

	if (!parse(c, own, &k, argc, argv, &action))
		code = c->exit_code;
	else if (!result_file)
		code = cmd_usage(c, "--result FILE is missing");
	else if (!read_result(c, result_file, &r))
		code = cmd_fail(c);
	else
		code = put(c, &k, &action, &r);
	connection_release(&k);
	return code;
}
