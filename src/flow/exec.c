/* exec: one action from the command line to its outputs: digests, cache, upload, run, download. */
#include "exec.h"

#include <fcntl.h>

#include "ac.h"
#include "blobset.h"
#include "bytestream.h"
#include "cas.h"
#include "clock.h"
#include "exec_outputs.h"
#include "file.h"
#include "log.h"
#include "wire_action.h"
#include "wire_tree.h"
#include "worker.h"

#define SEND_UNASKED 4096 /* bytes of inputs, Command and Action */

/* Everything one run needs; lives on exec_run's stack. */
struct run {
	struct client *client;
	const struct exec_options *o;
	const struct exec_events *ev;
	struct arena *a;
	struct blobset *blobs;
	struct action action;
	struct exec_outcome out;
	int64_t stage_start;
	bool useless; /* what the cache has: the server must not answer with it either */
	const char *absolute_link; /* an input that is one, or NULL */
};

static void end_stage(struct run *r)
{
	int64_t now = clock_mono_ns();

	if (r->out.n_stages)
		r->out.stages[r->out.n_stages - 1].ns += now - r->stage_start;
	r->stage_start = now;
}

static void begin_stage(struct run *r, const char *name)
{
	end_stage(r);
	if (r->ev && r->ev->stage)
		r->ev->stage(r->ev->ctx, name);
	/* A stage that comes back (queued again) goes on with its own count. */
	for (size_t i = 0; i < r->out.n_stages; i++) {
		if (strcmp(r->out.stages[i].name, name) == 0) {
			struct exec_stage_time again = r->out.stages[i];

			memmove(&r->out.stages[i], &r->out.stages[i + 1],
				(r->out.n_stages - i - 1) * sizeof(again));
			r->out.stages[r->out.n_stages - 1] = again;
			return;
		}
	}
	if (r->out.n_stages < RX_COUNT(r->out.stages))
		r->out.stages[r->out.n_stages++] = (struct exec_stage_time){ .name = name };
}

static void put_bytes(struct run *r, enum digest_function f, struct rx_view bytes, const char *name,
		      struct digest *out)
{
	struct rx_err never = { 0 };
	struct blob b = { .bytes = bytes, .dirfd = AT_FDCWD, .name = name };
	struct blob_sink *sink = blobset_sink(r->blobs);

	digest_of_view(f, bytes, out);
	b.digest = *out;
	(void)!sink->put(sink, &b, &never); /* bytes in memory: cannot fail */
}

static bool walk_inputs(struct run *r, enum digest_function f, struct pool *pool,
			struct rx_err *err)
{
	const struct exec_options *o = r->o;
	struct walk_result walked;
	struct walk_options w = {
		.root_dir = o->root,
		.symlinks = o->symlinks,
		.excludes = o->excludes,
		.n_excludes = o->n_excludes,
		.function = f,
		.codec = &wire_directory_codec,
		.pool = pool,
		.keep_bytes = 0, /* a hit needs no bytes, a miss reads again only what is missing */
		.no_inputs = true,
	};
	struct walk_input *inputs = ARENA_ARRAY(r->a, struct walk_input, o->n_inputs + 1);
	size_t n = o->n_inputs;

	if (o->input_root) {
		r->out.input_root = *o->input_root;
		return true;
	}
	if (n)
		memcpy(inputs, o->inputs, n * sizeof(*inputs));
	/* The working directory must exist in the input root (REAPI rule 134). */
	if (o->cwd && *o->cwd)
		inputs[n++] = (struct walk_input){ .remote = o->cwd, .empty_dir = true };
	if (!walk_run(&w, inputs, n, blobset_sink(r->blobs), r->a, &walked, err))
		return false;
	r->out.input_root = walked.root;
	r->out.n_inputs = walked.files + walked.symlinks;
	r->out.input_bytes = walked.bytes;
	r->absolute_link = walked.absolute_link;
	return true;
}

/* REAPI rules 51, 52: who runs the action may not take such links; better told before anything is
 * sent. */
static bool check_links(const struct run *r, const struct caps *caps, struct rx_err *err)
{
	const char *url = client_display(r->client, CLIENT_EXECUTOR);

	if (!r->absolute_link || r->o->strategy != EXEC_REMOTE ||
	    caps->raw.symlinks == WIRE_SYMLINKS_ALLOWED)
		return true;
	if (caps->raw.symlinks == WIRE_SYMLINKS_UNKNOWN) {
		rx_note("input '%s' is an absolute symbolic link, and %s does not say that it "
			"takes them (--symlinks resolve follows them)",
			r->absolute_link, url);
		return true;
	}
	rx_fail(err, RX_EUSAGE, "input '%s' is an absolute symbolic link, which %s refuses",
		r->absolute_link, url);
	rx_hint(err, "try: --symlinks resolve");
	return false;
}

static void build_action(struct run *r, enum digest_function f, bool old_outputs)
{
	const struct exec_options *o = r->o;
	struct action *action = &r->action;
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = LIMIT_COMMAND_BYTES };

	action->argv = arena_copy(r->a, o->argv, o->n_argv * sizeof(*o->argv));
	action->n_argv = o->n_argv;
	action->env = arena_copy(r->a, o->env, o->n_env * sizeof(*o->env));
	action->n_env = o->n_env;
	action->cwd = o->cwd ? o->cwd : "";
	action->platform = arena_copy(r->a, o->platform, o->n_platform * sizeof(*o->platform));
	action->n_platform = o->n_platform;
	action->has_platform = o->n_platform > 0;
	exec_outputs_declare(o, r->a, action, old_outputs);
	action->has_timeout = o->timeout_ms > 0;
	action->timeout_s = o->timeout_ms / 1000;
	action->timeout_ns = (int32_t)(o->timeout_ms % 1000) * 1000000;
	action->do_not_cache = o->do_not_cache;
	action->salt = rx_view_str(o->salt);
	action_canonicalize(r->a, action);
	/* Old servers look at the Command's platform, new ones at the Action's (REAPI rule 145). */
	action->command_platform = action->platform;
	action->n_command_platform = action->n_platform;
	action->has_command_platform = action->has_platform;

	wire_command_pack(action, old_outputs ? WIRE_OUTPUT_BOTH : WIRE_OUTPUT_PATHS, &bytes);
	put_bytes(r, f, rx_view_of(&bytes), "the Command", &r->out.command_digest);
	action->command_digest = r->out.command_digest;
	action->input_root = r->out.input_root;
	rx_buf_reset(&bytes);
	wire_action_pack(action, &bytes);
	put_bytes(r, f, rx_view_of(&bytes), "the Action", &r->out.action_digest);
	action->digest = r->out.action_digest;
}

static bool look_up(struct run *r, bool *hit, struct rx_err *err)
{
	struct ac_get_options get = { .inline_stdout = true, .inline_stderr = true };
	struct result cached = { 0 };

	*hit = false;
	begin_stage(r, "lookup");
	if (!ac_get(r->client, &r->out.action_digest, &get, r->a, hit, &cached, err))
		return rx_wrap(err, "cache lookup");
	/* A failure in the cache is no answer to somebody who wants it built. */
	if (*hit && cached.exit_code != 0) {
		*hit = false;
		r->useless = true;
	}
	if (*hit) {
		r->out.result = cached;
		r->out.cached = true;
	}
	return true;
}

static bool upload_all(struct run *r, struct rx_err *err)
{
	struct cas_upload *u = cas_upload_new(r->client);
	bool ok;

	begin_stage(r, "upload");
	/* The Action is new, so a batch goes out anyway: with so little, asking costs more. */
	cas_upload_set_force(u, blobset_size(r->blobs) <= SEND_UNASKED);
	ok = blobset_send_all(r->blobs, cas_upload_sink(u), err) && cas_upload_finish(u, err);
	cas_upload_free(u);
	return ok || rx_wrap(err, "upload");
}

/* A Directory the server lost takes its whole subtree along (REAPI rule 118). */
static bool send_subtree(struct run *r, const struct digest *d, struct blob_sink *sink,
			 unsigned depth, struct rx_err *err)
{
	struct rx_view bytes = blobset_bytes(r->blobs, d);
	struct rx_err not_one = { 0 };
	struct directory dir;
	bool ok;

	if (!blobset_send(r->blobs, d, sink, err))
		return false;
	if (!bytes.n || depth >= LIMIT_TREE_DEPTH)
		return true;
	ok = wire_directory_unpack(r->a, bytes, d->function, &dir, &not_one);
	rx_err_release(&not_one);
	if (!ok)
		return true; /* the Action or the Command */
	for (size_t i = 0; i < dir.n_files; i++) {
		if (blobset_has(r->blobs, &dir.files[i].digest) &&
		    !blobset_send(r->blobs, &dir.files[i].digest, sink, err))
			return false;
	}
	for (size_t i = 0; i < dir.n_dirs; i++) {
		if (blobset_has(r->blobs, &dir.dirs[i].digest) &&
		    !send_subtree(r, &dir.dirs[i].digest, sink, depth + 1, err))
			return false;
	}
	return true;
}

static bool upload_missing(void *ctx, const struct digest *missing, size_t n, struct rx_err *err)
{
	struct run *r = ctx;
	struct cas_upload *u = cas_upload_new(r->client);
	bool ok = true;

	begin_stage(r, "upload");
	cas_upload_set_force(u, true);
	for (size_t i = 0; ok && i < n; i++)
		ok = send_subtree(r, &missing[i], cas_upload_sink(u), 0, err);
	ok = ok && cas_upload_finish(u, err);
	cas_upload_free(u);
	return ok || rx_wrap(err, "the server lost inputs");
}

static void on_stage(void *ctx, enum wire_stage stage, const char *name RX_UNUSED)
{
	struct run *r = ctx;

	switch (stage) {
	case STAGE_CACHE_CHECK:
	case STAGE_QUEUED:
		begin_stage(r, "queued");
		break;
	case STAGE_EXECUTING:
		begin_stage(r, "executing");
		break;
	case STAGE_UNKNOWN:
	case STAGE_COMPLETED:
		break;
	}
}

static bool run_remote(struct run *r, bool skip_lookup, struct rx_err *err)
{
	struct execution_request req = {
		.action = r->out.action_digest,
		.skip_cache_lookup = skip_lookup,
		.priority = r->o->priority,
		.inline_stdout = true,
		.inline_stderr = true,
		.upload_missing = upload_missing,
		.on_stage = on_stage,
		.ctx = r,
	};
	struct execution_outcome e = { 0 };

	if (!upload_all(r, err))
		return false;
	begin_stage(r, "queued");
	if (!execution_run(r->client, &req, r->a, &e, err))
		return false;
	r->out.cached = e.cached;
	r->out.status = e.status;
	r->out.message = e.message;
	r->out.logs = e.logs;
	r->out.n_logs = e.n_logs;
	r->out.executes = e.executes;
	if (e.has_result)
		r->out.result = e.result;
	if (e.timed_out)
		r->out.how = EXEC_TIMED_OUT;
	else if (e.status.code != 0 || !e.has_result)
		r->out.how = EXEC_FAILED;
	return true;
}

static void on_executing(void *ctx)
{
	begin_stage(ctx, "executing");
}

static bool refuse_local(struct run *r, const struct worker_outcome *w, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	if (w->how == WORKER_REFUSED)
		return rx_fail(err, RX_EPARSE, "the action cannot run here: %s",
			       w->why ? w->why : "it is malformed");
	if (w->how == WORKER_CANCELLED)
		return rx_fail(err, RX_ECANCEL, "interrupted");
	digest_short(w->missing.n ? &w->missing.v[0] : &r->out.input_root, text);
	return rx_fail(err, RX_ENOENT, "input blob %s (of %zu missing) is neither here nor on %s",
		       text, w->missing.n, client_display(r->client, CLIENT_CAS));
}

/* Runs it here and stores what a remote run would have stored. */
static bool run_local(struct run *r, enum digest_function f, const struct caps *caps,
		      struct rx_err *err)
{
	struct cas_upload *u = cas_upload_new(r->client);
	struct worker_outcome w = { 0 };
	struct worker_options wo = {
		.runner = r->o->runner,
		.pool = client_pool(r->client),
		.scratch_dir = r->o->scratch_dir,
		.inputs = blobset_source(r->blobs, cas_source(r->client)),
		.outputs = cas_upload_sink(u),
		.function = f,
		.name = "local",
	};
	bool ok;

	begin_stage(r, "queued");
	ok = worker_run(&wo, &r->action, rx_cancel_flag(), on_executing, r, r->a, &w, err);
	if (ok && w.how != WORKER_DONE && w.how != WORKER_TIMED_OUT)
		ok = refuse_local(r, &w, err);
	begin_stage(r, "store");
	ok = ok && cas_upload_finish(u, err);
	cas_upload_free(u);
	digest_list_release(&w.missing);
	if (!ok)
		return false;
	r->out.result = w.result;
	if (w.how == WORKER_TIMED_OUT) {
		r->out.how = EXEC_TIMED_OUT;
		return true;
	}
	if (w.result.exit_code != 0 || r->o->do_not_cache || !caps->can_update_ac)
		return true;
	/* A result in the cache promises its Action and Command too (REAPI rule 104). */
	return upload_all(r, err) &&
	       (ac_put(r->client, &r->out.action_digest, &w.result, NULL, err) ||
		rx_wrap(err, "storing the result"));
}

static bool execute(struct run *r, enum digest_function f, const struct caps *caps,
		    bool skip_lookup, struct rx_err *err)
{
	r->out.how = EXEC_FINISHED;
	if (r->o->strategy == EXEC_LOCAL)
		return run_local(r, f, caps, err);
	if (!caps->can_execute)
		return rx_fail(
			err, RX_EUSAGE,
			"%s caches but does not execute: --strategy local runs the action here",
			client_display(r->client, CLIENT_EXECUTOR));
	return run_remote(r, skip_lookup, err);
}

static bool finish(struct run *r, int stdout_fd, int stderr_fd, const struct exec_lost **lost,
		   struct rx_err *err)
{
	begin_stage(r, "download");
	if (!exec_outputs_fetch(r->client, r->o, r->a, &r->out, stdout_fd, stderr_fd, lost, err))
		return false;
	r->out.exit_code = r->out.result.exit_code;
	if (r->out.how == EXEC_FINISHED && r->out.exit_code == 0 && !*lost) {
		r->out.missing_output = exec_outputs_missing(r->o, r->a, &r->out.result);
		if (r->out.missing_output)
			r->out.how = EXEC_OUTPUT_MISSING;
	}
	return true;
}

static bool fail_lost(struct run *r, const struct exec_lost *lost, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	digest_format(&lost->digest, text);
	rx_fail_rpc(err, RPC_NOT_FOUND, "download: %s: NOT_FOUND: %s of the result just made",
		    client_display(r->client, CLIENT_CAS), lost->what);
	rx_hint(err, "try: remex cas has %s -r %s", text, client_display(r->client, CLIENT_CAS));
	err->service = true;
	return false;
}

static bool run_and_fetch(struct run *r, enum digest_function f, const struct caps *caps,
			  int stdout_fd, int stderr_fd, struct rx_err *err)
{
	const struct exec_lost *lost = NULL;
	bool hit = false;
	bool lookup = !r->o->do_not_cache && !r->o->no_cache_lookup;

	if (lookup && !look_up(r, &hit, err))
		return false;
	if (hit) {
		r->out.how = EXEC_FINISHED;
		/* A result without what was declared, or with outputs that are gone meanwhile, is
		 * as good as a miss (rule 103). Nothing of it has been passed on by then. */
		if (!exec_outputs_missing(r->o, r->a, &r->out.result)) {
			if (!finish(r, stdout_fd, stderr_fd, &lost, err))
				return false;
			if (!lost)
				return true;
		}
		r->out.cached = false;
		r->out.result = (struct result){ 0 };
	}
	if (r->o->require_cached) {
		r->out.how = EXEC_NOT_CACHED;
		return true;
	}
	if (!execute(r, f, caps, !lookup || hit || r->useless, err))
		return false;
	if (!finish(r, stdout_fd, stderr_fd, &lost, err))
		return false;
	return !lost || fail_lost(r, lost, err);
}

static bool plan_and_run(struct run *r, int stdout_fd, int stderr_fd, struct rx_err *err)
{
	const struct exec_options *o = r->o;
	const struct caps *caps = NULL, *exec_caps = NULL;
	enum digest_function f = o->function ? o->function : DIGEST_SHA256;

	if (!o->dry_run) {
		begin_stage(r, "connect");
		caps = caps_get(r->client, err);
		if (!caps)
			return false;
		exec_caps = o->strategy == EXEC_REMOTE && !o->upload_only && !o->require_cached
				    ? caps_get_role(r->client, CLIENT_EXECUTOR, err)
				    : caps;
		if (!exec_caps)
			return false;
		f = caps->function;
	}
	begin_stage(r, "walk");
	if (!walk_inputs(r, f, o->pool, err))
		return false;
	if (exec_caps && !check_links(r, exec_caps, err))
		return false;
	build_action(r, f, exec_caps && exec_caps->needs_old_outputs);
	if (o->dry_run) {
		r->out.how = EXEC_PLANNED;
		return true;
	}
	client_set_action(r->client,
			  arena_printf(r->a, "%s", exec_outputs_hex(&r->out.action_digest, r->a)),
			  NULL, NULL);
	if (o->upload_only) {
		r->out.how = EXEC_UPLOADED;
		return upload_all(r, err);
	}
	return run_and_fetch(r, f, exec_caps, stdout_fd, stderr_fd, err);
}

bool exec_run(struct client *c, const struct exec_options *o, const struct exec_events *ev,
	      int stdout_fd, int stderr_fd, struct arena *a, struct exec_outcome *out,
	      struct rx_err *err)
{
	struct run r = { .client = c, .o = o, .ev = ev, .a = a, .stage_start = clock_mono_ns() };
	struct client_stats before = { 0 }, after = { 0 };
	bool ok;

	if (c)
		client_stats_get(c, &before);
	r.blobs = blobset_new();
	ok = plan_and_run(&r, stdout_fd, stderr_fd, err);
	end_stage(&r);
	blobset_free(r.blobs);
	if (!ok)
		return false;
	if (c)
		client_stats_get(c, &after);
	r.out.uploaded_bytes = after.uploaded_bytes - before.uploaded_bytes;
	r.out.downloaded_bytes = after.downloaded_bytes - before.downloaded_bytes;
	*out = r.out;
	return true;
}
