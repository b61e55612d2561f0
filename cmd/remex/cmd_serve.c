/* cmd_serve: `remex serve`: the embedded server in the foreground. */
#include "serve.h"

#include "command.h"

/* An embedded server that nobody talks to goes away. */
#define SERVE_IDLE_MS (30 * 60 * 1000)

static const struct opt_choice sandboxes[] = { { "auto", RUNNER_AUTO },
					       { "namespace", RUNNER_NAMESPACE },
					       { "none", RUNNER_NONE },
					       { NULL, 0 } };

static void say_ready(void *ctx, const char *url, bool execution, const char *note)
{
	struct cmd *c = ctx;
	struct json j;

	if (c->json) {
		j = cmd_json(c);
		json_kv_str(&j, "url", url);
		json_kv_bool(&j, "execution", execution);
		if (note)
			json_kv_str(&j, "note", note);
		cmd_json_end(c, &j);
		(void)!cmd_flush(c); /* a server goes on without its reader */
		return;
	}
	cmd_say(c, "listening on %s%s", url, execution ? "" : " (cache only)");
	if (note)
		cmd_say(c, "%s", note);
}

int cmd_serve(struct cmd *c, int argc, char **argv)
{
	int64_t idle_ms = -1;
	int sandbox = RUNNER_AUTO;
	struct serve_options o = { .ready = say_ready, .ctx = c };
	const struct opt own[] = {
		OPT_STR(0, "listen", &o.listen, "ADDRESS",
			"unix:///PATH or HOST:PORT, port 0 is any (the embedded server's socket)"),
		OPT_STR(0, "dir", &o.dir, "DIR", "the store ($REMEX_STATE_DIR, ~/.cache/remex)"),
		OPT_U32(0, "max-actions", &o.max_actions, "N", "actions at once (processors)",
			.flags = OPT_ENV),
		OPT_SIZE(0, "max-size", &o.max_size, "of the store; the oldest goes first",
			 .flags = OPT_ENV),
		OPT_CHOICE(0, "sandbox", &sandbox, sandboxes, "how actions are confined",
			   .flags = OPT_ENV),
		OPT_FLAG(0, "read-only", &o.read_only, "take no uploads and run nothing"),
		OPT_STR(0, "listen-tls-cert", &o.tls_cert, "FILE", "certificate (PEM)"),
		OPT_STR(0, "listen-tls-key", &o.tls_key, "FILE", "its key (PEM)"),
		OPT_STR(0, "listen-tls-client-ca", &o.tls_client_ca, "FILE",
			"ask clients for certificates of this authority (PEM)"),
		OPT_FLAG(0, "insecure", &o.insecure,
			 "run actions for everybody who reaches the port"),
		OPT_FLAG(0, "on-demand", &o.on_demand, "started by a client", .flags = OPT_HIDDEN),
		OPT_DURATION(0, "idle", &idle_ms, "leave after this long without work",
			     .flags = OPT_HIDDEN),
		OPT_END
	};

	if (!cmd_parse(c, own, NULL, argc, argv) || !cmd_operands(c, 0, 0, ""))
		return c->exit_code;
	if (o.insecure && (o.tls_cert || o.tls_key || o.tls_client_ca))
		return cmd_usage(c, "--insecure and --listen-tls-cert exclude each other");
	o.sandbox = (enum runner_sandbox)sandbox;
	if (idle_ms >= 0)
		o.idle_ms = idle_ms;
	else if (o.on_demand)
		o.idle_ms = SERVE_IDLE_MS;
	if (!serve_run(&o, &c->err))
		return cmd_fail(c);
	return cmd_done(c, EXIT_YES);
}
