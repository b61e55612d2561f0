/* cmd_exec: `remex exec`: runs a command remotely, or takes its cached result. */
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "execargs.h"
#include "file.h"
#include "resultjson.h"
#include "scratch.h"
#include "signals.h"
#include "utf8.h"

static const struct opt_choice strategies[] = { { "remote", EXEC_REMOTE },
						{ "local", EXEC_LOCAL },
						{ NULL, 0 } };

#define SCRATCH          "remex-exec-"
#define EXEC_OWN_OPTIONS 32
static void own_options(struct exec_args *x, struct opt out[EXEC_OWN_OPTIONS])
{
	const struct opt table[] = {
		OPT_STR(0, "root", &x->root, "DIR", "execution root (.)"),
		OPT_STR(0, "cwd", &x->cwd, "REL", "working directory below the root (.)"),
		OPT_LIST('i', "input", &x->inputs, "PATH",
			 "a file, or a directory with all that is in it"),
		OPT_LIST(0, "input-list", &x->input_lists, "FILE",
			 "inputs, one a line or NUL-separated"),
		OPT_LIST(0, "input-map", &x->maps, "LOCAL=REMOTE",
			 "an input that has another path remotely"),
		OPT_LIST(0, "virtual", &x->virtuals, "REMOTE=TEXT",
			 "an input file with this content"),
		OPT_LIST(0, "exclude", &x->excludes, "REGEX",
			 "leave out inputs whose path matches"),
		OPT_CHOICE(0, "symlinks", &x->symlinks, execargs_symlinks,
			   "keep symlinks, or follow them"),
		OPT_STR(0, "input-root", &x->input_root, "DIGEST",
			"the input root is already in the CAS"),
		OPT_LIST('o', "output", &x->outputs, "PATH",
			 "an output, relative to the working directory; PATH/ is a directory"),
		OPT_LIST(0, "optional-output", &x->optional_outputs, "PATH",
			 "one that may be missing"),
		OPT_LIST(0, "output-list", &x->output_lists, "FILE",
			 "outputs, one a line or NUL-separated"),
		OPT_STR(0, "download", &x->download, "all|none|match:REGEX",
			"which outputs to fetch (all)"),
		OPT_STR(0, "out-dir", &x->out_dir, "DIR", "where outputs go (the root)"),
		OPT_LIST('e', "env", &x->env, "NAME[=VALUE]",
			 "an environment variable of the action; nothing else enters"),
		OPT_LIST('p', "platform", &x->platform, "NAME=VALUE", "a platform property",
			 .flags = OPT_SETTING | OPT_PAIRS),
		OPT_DURATION(0, "timeout", &x->timeout_ms, "of the action"),
		OPT_I32(0, "priority", &x->priority, "N", "lower runs sooner"),
		OPT_STR(0, "salt", &x->salt, "TEXT", "makes another cache key"),
		OPT_FLAG(0, "do-not-cache", &x->do_not_cache,
			 "neither take nor store a cached result"),
		OPT_FLAG(0, "no-cache-lookup", &x->no_cache_lookup, "run even if cached"),
		OPT_FLAG(0, "require-cached", &x->require_cached, "exit 123 unless cached"),
		OPT_CHOICE(0, "strategy", &x->strategy, strategies,
			   "where to run; local: here, in the sandbox, and store the result"),
		OPT_FLAG(0, "upload-only", &x->upload_only, "upload the action, run nothing"),
		OPT_FLAG(0, "dry-run", &x->dry_run, "print digests, send nothing"),
		OPT_STR(0, "result", &x->result_file, "FILE", "write what --json prints to FILE"),
		OPT_END
	};

	_Static_assert(RX_COUNT(table) <= EXEC_OWN_OPTIONS, "room for the table");
	memcpy(out, table, sizeof(table));
}

#define LOGS_SHOWN 10

struct progress {
	bool shown, enabled;
};

static void show_stage(void *ctx, const char *stage)
{
	struct progress *p = ctx;

	if (!p->enabled)
		return;
	/* The action's own output follows the download: the line makes room. */
	if (strcmp(stage, "download") == 0)
		dprintf(STDERR_FILENO, "\r\033[K");
	else
		dprintf(STDERR_FILENO, "\r\033[Kremex: exec: %s", stage);
	p->shown = strcmp(stage, "download") != 0;
}

static void hide_stage(const struct progress *p)
{
	if (p->shown)
		dprintf(STDERR_FILENO, "\r\033[K");
}

static bool has_result(const struct exec_outcome *x)
{
	return x->how == EXEC_FINISHED || x->how == EXEC_OUTPUT_MISSING;
}

static void add_stages(struct json *j, const struct exec_outcome *x)
{
	json_key(j, "stages");
	json_object(j);
	for (size_t i = 0; i < x->n_stages; i++)
		json_kv_int(j, x->stages[i].name, (x->stages[i].ns + 500000) / 1000000);
	json_end(j, '}');
}

/* The object of --json and --result. */
static void add_outcome(struct cmd *c, const struct exec_outcome *x, const struct client *client)
{
	struct json j = cmd_json(c);

	if (has_result(x))
		json_kv_int(&j, "exit_code", x->exit_code);
	if (has_result(x) || x->how == EXEC_NOT_CACHED)
		json_kv_bool(&j, "cached", x->cached);
	resultjson_add_digest(&j, "action_digest", &x->action_digest);
	resultjson_add_digest(&j, "command_digest", &x->command_digest);
	resultjson_add_digest(&j, "input_root_digest", &x->input_root);
	if (client)
		json_kv_str(&j, "remote", client_display(client, CLIENT_EXECUTOR));
	if (has_result(x) || x->how == EXEC_TIMED_OUT) {
		resultjson_add(&j, &x->result);
		resultjson_add_text(&j, "stdout", x->stdout_bytes);
		resultjson_add_text(&j, "stderr", x->stderr_bytes);
	}
	json_kv_int(&j, "input_files", (int64_t)x->n_inputs);
	json_kv_int(&j, "input_bytes", x->input_bytes);
	json_kv_int(&j, "uploaded_bytes", x->uploaded_bytes);
	json_kv_int(&j, "downloaded_bytes", x->downloaded_bytes);
	add_stages(&j, x);
	if (c->err.code)
		cmd_json_error(&j, &c->err);
	cmd_json_end(c, &j);
}

static void add_digest_line(struct rx_buf *out, const char *what, const struct digest *d)
{
	char text[DIGEST_TEXT_MAX];

	digest_format(d, text);
	rx_buf_addf(out, "%s %s\n", what, text);
}

static void say_summary(const struct cmd *c, const struct exec_outcome *x, int64_t ns)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf line = { 0 };
	char action[DIGEST_TEXT_MAX];

	digest_short(&x->action_digest, action);
	rx_buf_add_str(&line, x->cached ? "hit in " : "ran in ");
	clock_add_duration(&line, ns);
	rx_buf_addf(&line, ", %zu input%s (", x->n_inputs, x->n_inputs == 1 ? "" : "s");
	clock_add_size(&line, x->input_bytes);
	rx_buf_add_str(&line, "), uploaded ");
	clock_add_size(&line, x->uploaded_bytes);
	rx_buf_addf(&line, ", action %s", action);
	cmd_say(c, "%s", rx_buf_str(&line));
}

/* The service answered that it could not run the action. */
static void told_failure(struct cmd *c, const struct exec_outcome *x, const char *action,
			 const char *url)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	char log[DIGEST_TEXT_MAX];

	rx_buf_addf(&text, "%s: Execute: action %s did not run: %s", url, action,
		    rx_grpc_name(x->status.code));
	if (*x->status.message) {
		rx_buf_add_str(&text, ": ");
		utf8_add_safe(&text, x->status.message, strlen(x->status.message),
			      LIMIT_STATUS_MESSAGE);
	}
	if (x->executes > 1)
		rx_buf_addf(&text, " (after %u tries)", x->executes);
	rx_fail_rpc(&c->err, x->status.code, "%s", rx_buf_str(&text));
	if (x->message && *x->message)
		rx_hint(&c->err, "%s", x->message);
	/* REAPI rule 130 */
	for (size_t i = 0; i < RX_MIN(x->n_logs, (size_t)LOGS_SHOWN); i++) {
		digest_format(&x->logs[i].digest, log);
		rx_hint(&c->err, "log '%s': remex cas cat %s -r %s", x->logs[i].name, log, url);
	}
	rx_hint(&c->err, "try: remex caps -r %s", url);
}

/* What did not end with the action's own exit code is an error of ours; 0 = the action's. */
static int judge(struct cmd *c, const struct exec_outcome *x, const struct client *client)
{
	char action[DIGEST_TEXT_MAX];

	digest_short(&x->action_digest, action);
	switch (x->how) {
	case EXEC_FINISHED:
	case EXEC_UPLOADED:
	case EXEC_PLANNED:
		return 0;
	case EXEC_NOT_CACHED:
		rx_fail(&c->err, RX_ENOENT, "action %s is not cached", action);
		return EXIT_NOT_CACHED;
	case EXEC_TIMED_OUT:
		rx_fail_rpc(&c->err, 4, "action %s timed out", action);
		return EXIT_TIMED_OUT;
	case EXEC_OUTPUT_MISSING:
		rx_fail(&c->err, RX_ENOENT, "action %s exited 0 without its output '%s'", action,
			x->missing_output);
		rx_hint(&c->err, "--optional-output declares one that may be missing");
		break;
	case EXEC_FAILED:
		told_failure(c, x, action, client_display(client, CLIENT_EXECUTOR));
		break;
	}
	return EXIT_EXEC_FAILED;
}

static int exit_code_of(const struct exec_outcome *x)
{
	if (x->how != EXEC_FINISHED)
		return 0;
	return x->exit_code < 0 || x->exit_code > 255 ? 255 : x->exit_code;
}

/* A link, a pipe or a device is written to, never replaced. */
static bool write_there(const char *path, struct rx_view text, struct rx_err *err)
{
	RX_CLEANUP(file_close)
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);

	if (fd < 0)
		return rx_fail_errno(err, "%s", path);
	return file_write_fd(fd, text.p, text.n, err) || rx_wrap(err, "%s", path);
}

static bool write_result(struct cmd *c, const char *path, struct rx_err *err)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return write_there(path, rx_view_of(&c->out), err) || rx_wrap(err, "--result");
	return file_write(AT_FDCWD, path, rx_view_of(&c->out), 0666 & ~mask, err) ||
	       rx_wrap(err, "--result");
}

/* Prints and writes what came of it. */
static int report(struct cmd *c, const struct exec_args *args, const struct exec_outcome *x,
		  const struct client *client)
{
	int code = judge(c, x, client);
	bool failed = code != 0;

	if (args->result_file || c->json)
		add_outcome(c, x, client);
	if (args->result_file) {
		struct rx_err err = { 0 };

		if (!write_result(c, args->result_file, &err)) {
			rx_err_reset(&c->err);
			rx_err_move(&c->err, &err);
			rx_buf_reset(&c->out);
			return cmd_fail(c);
		}
	}
	if (!c->json)
		rx_buf_reset(&c->out);
	if (!c->json && (x->how == EXEC_PLANNED || x->how == EXEC_UPLOADED)) {
		add_digest_line(&c->out, "action", &x->action_digest);
		add_digest_line(&c->out, "command", &x->command_digest);
		add_digest_line(&c->out, "input-root", &x->input_root);
	}
	if (failed)
		cmd_print_error(c);
	return cmd_done(c, failed ? code : exit_code_of(x));
}

/* The error of a run that came to nothing, in --result's file too. */
static int report_failure(struct cmd *c, const struct exec_args *args)
{
	struct rx_err ignored = { 0 };

	if (args->result_file) {
		struct json j = cmd_json(c);

		cmd_json_error(&j, &c->err);
		cmd_json_end(c, &j);
		if (!write_result(c, args->result_file, &ignored))
			rx_hint(&c->err, "%s", rx_err_text(&ignored));
		rx_err_release(&ignored);
		rx_buf_reset(&c->out);
	}
	return cmd_fail(c);
}

/* Runs that were killed left theirs. */
static bool make_scratch(struct scratch *out, struct rx_err *err)
{
	const char *parent = getenv("TMPDIR");

	parent = parent && parent[0] == '/' ? parent : "/tmp";
	(void)scratch_sweep(parent, SCRATCH, NULL);
	return scratch_open(out, parent, SCRATCH, err);
}

static void remove_scratch(struct cmd *c, struct scratch *s)
{
	struct rx_err err = { 0 };

	if (!scratch_close(s, &err))
		cmd_say(c, "left behind until the next run: %s", rx_err_text(&err));
	rx_err_release(&err);
}

static int run(struct cmd *c, struct exec_args *args, struct exec_options *o)
{
	RX_CLEANUP(session_close) struct session s = { 0 };
	struct scratch scratch = { .lock = -1 };
	struct progress progress = { .enabled = isatty(STDERR_FILENO) && !c->quiet };
	struct exec_events events = { .stage = show_stage, .ctx = &progress };
	struct exec_outcome x = { 0 };
	bool local = o->strategy == EXEC_LOCAL && !o->dry_run && !o->upload_only;
	int64_t start = clock_mono_ns();
	bool ok;

	if (o->dry_run)
		s.pool = pool_new(0, 1024);
	else if (!session_open(&s, c, &args->connection, local, &c->err))
		return report_failure(c, args);
	if (local && !make_scratch(&scratch, &c->err))
		return report_failure(c, args);
	o->pool = s.pool;
	o->runner = s.runner;
	o->scratch_dir = scratch.path;
	ok = exec_run(s.client, o, &events, c->json ? -1 : STDOUT_FILENO,
		      c->json ? -1 : STDERR_FILENO, &c->arena, &x, &c->err);
	hide_stage(&progress);
	remove_scratch(c, &scratch);
	if (!ok)
		return report_failure(c, args);
	if (c->verbose && has_result(&x))
		say_summary(c, &x, clock_mono_ns() - start);
	return report(c, args, &x, s.client);
}

int cmd_exec(struct cmd *c, int argc, char **argv)
{
	RX_CLEANUP(execargs_release) struct exec_args args = { 0 };
	struct opt own[EXEC_OWN_OPTIONS];
	struct exec_options options;

	own_options(&args, own);
	if (!cmd_parse(c, own, &args.connection, argc, argv))
		return c->exit_code;
	if (!execargs_options(&args, &c->parser.operands, &c->arena, &options, &c->err)) {
		rx_hint(&c->err, "usage: remex exec %s", c->command->usage);
		return cmd_fail(c);
	}
	return run(c, &args, &options);
}
