/* worker: see worker.h. */
#include "worker_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "clock.h"
#include "collect.h"
#include "file.h"
#include "limit.h"
#include "log.h"
#include "materialise.h"
#include "wire_tree.h"

/* Output up to this size travels inside the result; what a server finds too much it leaves out. */
#define RAW_BYTES 65536

/* One run and its directory: root/ is the execution root, stdout and stderr lie beside it, out of
 * the action's reach. */
struct run {
	const struct worker_options *o;
	const struct action *action;
	struct arena *a;
	struct worker_outcome *out;
	const char *cwd;
	char *dir, *root;
	int dir_fd, root_fd, stdout_fd, stderr_fd;
	int64_t timeout_ms;
	struct result_times times;
};

static void run_release(struct run *r)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	file_close(&r->dir_fd);
	file_close(&r->root_fd);
	file_close(&r->stdout_fd);
	file_close(&r->stderr_fd);
	/* The result stands; what could not be removed is removed with the scratch directory. */
	if (r->dir && !file_remove_tree(AT_FDCWD, r->dir, &err))
		rx_debug("worker: %s", rx_err_text(&err));
	free(r->dir);
	free(r->root);
}

static bool refuse(struct run *r, int code, const char *why)
{
	return worker_refuse(r->out, r->a, code, "%s", why);
}

/* Whether to go on: nothing was decided yet. */
static bool open_still(const struct run *r)
{
	return r->out->how == WORKER_DONE;
}

/* REAPI rule 116. A duration of zero counts as none. */
static bool check_timeout(struct run *r)
{
	const struct action *action = r->action;
	int64_t max = r->o->max_timeout_ms, ms = r->o->default_timeout_ms;

	if (!ms)
		ms = max;
	if (action->has_timeout && (action->timeout_s || action->timeout_ns)) {
		int64_t nanos_ms = (action->timeout_ns + 999999) / 1000000;

		if (__builtin_mul_overflow(action->timeout_s, INT64_C(1000), &ms) ||
		    __builtin_add_overflow(ms, nanos_ms, &ms))
			ms = INT64_MAX;
		if (max && ms > max)
			return worker_refuse(r->out, r->a, RPC_FAILED_PRECONDITION,
					     "the timeout of %" PRId64
					     " s is above this server's maximum of %" PRId64 " s",
					     action->timeout_s, max / 1000);
	}
	r->timeout_ms = ms;
	return true;
}

static bool check(struct run *r)
{
	const struct action *action = r->action;
	const char *wrong = worker_marks(action->marks);

	r->cwd = action->cwd ? action->cwd : "";
	if (wrong)
		return worker_refuse(r->out, r->a, RPC_INVALID_ARGUMENT, "the action: %s", wrong);
	if (!digest_function_supported(r->o->function))
		return worker_refuse(r->out, r->a, RPC_INVALID_ARGUMENT,
				     "digests of function %s cannot be computed here",
				     digest_function_name(r->o->function));
	if (action->n_argv == 0)
		return refuse(r, RPC_INVALID_ARGUMENT, "the command has no arguments");
	if (*r->cwd && !path_is_relative_clean(r->cwd))
		return refuse(r, RPC_INVALID_ARGUMENT,
			      "the working directory is not a clean relative path");
	for (size_t i = 0; i < action->n_env; i++)
		if (!*action->env[i].name || strchr(action->env[i].name, '='))
			return refuse(r, RPC_INVALID_ARGUMENT,
				      "an environment variable's name is empty or has a '='");
	return check_timeout(r);
}

static bool make_scratch(struct run *r, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *parent = realpath(r->o->scratch_dir, NULL);

	if (!parent)
		return rx_fail_errno(err, "the scratch directory '%s'", r->o->scratch_dir);
	if (!file_temp_dir(parent, "action-", &r->dir, err))
		return false;
	r->root = path_join(r->dir, "root");
	r->dir_fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir_fd < 0 || mkdirat(r->dir_fd, "root", 0755) != 0 ||
	    fchmodat(r->dir_fd, "root", 0755, 0) != 0)
		return rx_fail_errno(err, "making '%s'", r->root);
	r->root_fd = file_open_nolinks(r->dir_fd, "root", O_RDONLY | O_DIRECTORY, 0, err);
	if (r->root_fd < 0)
		return false;
	r->stdout_fd =
		openat(r->dir_fd, "stdout", O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	r->stderr_fd =
		openat(r->dir_fd, "stderr", O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (r->stdout_fd < 0 || r->stderr_fd < 0)
		return rx_fail_errno(err, "making the output files in '%s'", r->dir);
	return true;
}

static void free_materialise(struct materialise **m)
{
	materialise_free(*m);
}

/* The input root, fresh: files are copies (or clones) of the store's, never links to them. */
static bool place_inputs(struct run *r, struct rx_err *err)
{
	RX_CLEANUP(free_materialise)
	struct materialise *m = materialise_new(&(struct materialise_options){
		.target_fd = r->root_fd,
		.codec = &worker_codec,
		.function = r->o->function,
		.fresh = true,
		.file_mode = 0444,
		.exec_mode = 0555,
		.dir_mode = 0755,
		.set_mtime = true,
	});
	struct materialise_stats stats;

	r->times.input_start = clock_wall_ns();
	if (!materialise_tree(m, "", &r->action->input_root, r->o->inputs, &r->out->missing, err) ||
	    !materialise_run(m, r->o->inputs, &r->out->missing, &stats, err))
		return worker_refuse_err(r->out, r->a, RPC_INVALID_ARGUMENT, err) ||
		       rx_wrap(err, "placing the inputs");
	r->times.input_completed = clock_wall_ns();
	if (r->out->missing.n)
		r->out->how = WORKER_MISSING_INPUTS;
	return true;
}

/* REAPI rule 134 */
static bool check_cwd(struct run *r)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	RX_CLEANUP(file_close) int fd = -1;

	if (!*r->cwd)
		return true;
	fd = file_open_beneath(r->root_fd, r->cwd, O_RDONLY | O_DIRECTORY, 0, &ignored);
	return fd >= 0 ||
	       worker_refuse(r->out, r->a, RPC_INVALID_ARGUMENT,
			     "the working directory '%s' is not a directory of the input root",
			     r->cwd);
}

/* REAPI rule 133: the directories that lead to an output, not the output itself. */
static bool make_parent(struct run *r, const char *output)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	RX_CLEANUP(file_close) int fd = -1;
	RX_CLEANUP(xfreep) char *full = path_below(r->cwd, output);
	char *slash = full ? strrchr(full, '/') : NULL;

	if (!slash)
		return true; /* at the root; what is not below it is refused when it is collected */
	*slash = 0;
	/* A link of the input root may lead there, as long as it stays inside. */
	fd = file_open_beneath(r->root_fd, full, O_RDONLY | O_DIRECTORY, 0, &ignored);
	if (fd >= 0 || file_mkdirs(r->root_fd, full, 0755, true, &err))
		return true;
	return worker_refuse(r->out, r->a, RPC_INVALID_ARGUMENT,
			     "the directory of the output '%s' cannot be made: %s", output,
			     rx_err_text(&err));
}

/* REAPI rule 131: the old lists only count when the new one is not used. */
static bool old_fields(const struct action *action)
{
	return action->n_output_paths == 0 &&
	       (action->n_output_files > 0 || action->n_output_directories > 0);
}

static bool make_parents(struct run *r)
{
	const struct action *a = r->action;

	for (size_t i = 0; i < a->n_output_paths && open_still(r); i++)
		if (!make_parent(r, a->output_paths[i]))
			return false;
	for (size_t i = 0; old_fields(a) && i < a->n_output_files && open_still(r); i++)
		if (!make_parent(r, a->output_files[i]))
			return false;
	for (size_t i = 0; old_fields(a) && i < a->n_output_directories && open_still(r); i++)
		if (!make_parent(r, a->output_directories[i]))
			return false;
	return true;
}

static void close_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* Gives a fresh tree to the user that the action runs as. Takes over fd. */
static bool give_away(int fd, uid_t uid, gid_t gid, struct rx_err *err)
{
	RX_CLEANUP(close_dir) DIR *d = fdopendir(fd);
	struct dirent *e;

	if (!d) {
		(void)close(fd);
		return rx_fail_errno(err, "listing the input root");
	}
	if (fchown(fd, uid, gid) != 0)
		return rx_fail_errno(err, "giving the input root to user %u", (unsigned)uid);
	while ((errno = 0, e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (e->d_type == DT_DIR) {
			int sub = openat(fd, e->d_name,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (sub < 0)
				return rx_fail_errno(err, "opening '%s'", e->d_name);
			if (!give_away(sub, uid, gid, err))
				return false;
		} else if (fchownat(fd, e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
			return rx_fail_errno(err, "giving '%s' to user %u", e->d_name,
					     (unsigned)uid);
		}
	}
	return errno == 0 || rx_fail_errno(err, "listing the input root");
}

static bool give_to_runner(struct run *r, struct rx_err *err)
{
	uid_t uid;
	gid_t gid;
	int fd;

	if (!runner_owner(r->o->runner, &uid, &gid))
		return true;
	/* Scripts open them anew as /dev/stdout and /dev/stderr. */
	if (fchown(r->stdout_fd, uid, gid) != 0 || fchown(r->stderr_fd, uid, gid) != 0)
		return rx_fail_errno(err, "giving the output files to user %u", (unsigned)uid);
	fd = openat(r->dir_fd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return rx_fail_errno(err, "opening '%s'", r->root);
	return give_away(fd, uid, gid, err);
}

static bool execute(struct run *r, const volatile bool *cancel, struct rx_err *err)
{
	const struct action *action = r->action;
	const char **argv = ARENA_ARRAY(r->a, const char *, action->n_argv + 1);
	const struct runner_job job = { .argv = argv,
					.env = action->env,
					.n_env = action->n_env,
					.root = r->root,
					.cwd = r->cwd,
					.stdout_fd = r->stdout_fd,
					.stderr_fd = r->stderr_fd,
					.timeout_ms = r->timeout_ms,
					.search_path = r->o->search_path };

	memcpy(argv, action->argv, action->n_argv * sizeof(*argv));
	if (!runner_run(r->o->runner, &job, cancel, &r->out->run, err))
		return false;
	r->times.execution_start = r->out->run.start_ns;
	r->times.execution_completed = r->out->run.end_ns;
	r->out->result.exit_code = r->out->run.exit_code;
	switch (r->out->run.how) {
	case RUNNER_EXITED:
	case RUNNER_SIGNALED:
		return true;
	case RUNNER_TIMED_OUT:
		r->out->how = WORKER_TIMED_OUT;
		return true;
	case RUNNER_CANCELLED:
		r->out->how = WORKER_CANCELLED;
		return true;
	case RUNNER_OUTPUT_TOO_LARGE:
		break;
	}
	return worker_refuse(r->out, r->a, RPC_FAILED_PRECONDITION,
			     "the action was stopped: its stdout or stderr grew beyond %lld MiB",
			     RUNNER_OUTPUT_LIMIT >> 20);
}

/* stdout or stderr as a blob, small ones also as bytes; an empty one is none (REAPI rule 141). */
static bool keep_stream(struct run *r, int fd, const char *name, struct digest *digest,
			struct rx_view *raw, struct rx_err *err)
{
	struct blob b = { .dirfd = r->dir_fd, .name = name };
	struct stat st;

	if (fstat(fd, &st) != 0)
		return rx_fail_errno(err, "%s of the action", name);
	if (st.st_size == 0)
		return true;
	if (st.st_size <= RAW_BYTES) {
		char *bytes = arena_alloc(r->a, (size_t)st.st_size);
		size_t got;

		if (!file_pread(fd, bytes, (size_t)st.st_size, 0, &got, err))
			return false;
		*raw = (struct rx_view){ bytes, got };
		digest_of_view(r->o->function, *raw, &b.digest);
		b.bytes = *raw;
	} else {
		if (!digest_of_fd(r->o->function, fd, st.st_size, &b.digest, err))
			return false;
		b.path = name;
	}
	*digest = b.digest;
	return r->o->outputs->put(r->o->outputs, &b, err);
}

static void pack_tree(const struct rx_view *records, size_t n, struct rx_buf *out)
{
	struct wire_tree t = { .has_root = n > 0 };

	if (n > 0) {
		t.root = records[0];
		t.children = (struct rx_view *)(uintptr_t)(records + 1);
		t.n_children = n - 1;
	}
	wire_tree_pack(&t, out);
}

static bool keep_outputs(struct run *r, struct rx_err *err)
{
	const struct action *action = r->action;
	bool old = old_fields(action);
	struct result *res = &r->out->result;

	r->times.output_start = clock_wall_ns();
	if (!keep_stream(r, r->stdout_fd, "stdout", &res->stdout_digest, &res->stdout_raw, err) ||
	    !keep_stream(r, r->stderr_fd, "stderr", &res->stderr_digest, &res->stderr_raw, err))
		return rx_wrap(err, "storing the output");
	if (!collect_outputs(&(struct collect_options){ .root_fd = r->root_fd,
							.cwd = r->cwd,
							.codec = &wire_directory_codec,
							.tree_pack = pack_tree,
							.function = r->o->function,
							.format = action->output_format,
							.pool = r->o->pool,
							.old_fields = old,
							.allow_absolute_links = true,
							.node_properties =
								action->output_node_properties,
							.n_node_properties =
								action->n_output_node_properties },
			     action, r->o->outputs, r->a, res, err))
		/* REAPI rule 138: what was declared as one kind and is another; else things that
		 * no result can hold, such as sockets. */
		return worker_refuse_err(r->out, r->a,
					 old ? RPC_FAILED_PRECONDITION : RPC_INVALID_ARGUMENT,
					 err) ||
		       rx_wrap(err, "collecting the outputs");
	r->times.output_completed = clock_wall_ns();
	return true;
}

/* A timed out action keeps what it had (REAPI rule 115), if that can be told. */
static bool keep_partial(struct run *r, struct rx_err *err)
{
	bool ok = keep_outputs(r, err);

	r->out->how = WORKER_TIMED_OUT;
	return ok;
}

static bool run_all(struct run *r, const volatile bool *cancel, void (*on_executing)(void *ctx),
		    void *ctx, struct rx_err *err)
{
	if (!check(r))
		return false;
	if (open_still(r) && (!make_scratch(r, err) || !place_inputs(r, err)))
		return false;
	if (open_still(r) && !check_cwd(r))
		return false;
	if (open_still(r) && !make_parents(r))
		return false;
	if (!open_still(r))
		return true;
	if (!give_to_runner(r, err))
		return false;
	if (on_executing)
		on_executing(ctx);
	if (!execute(r, cancel, err))
		return false;
	if (r->out->how == WORKER_TIMED_OUT)
		return keep_partial(r, err);
	return !open_still(r) || keep_outputs(r, err);
}

bool worker_run(const struct worker_options *o, const struct action *action,
		const volatile bool *cancel, void (*on_executing)(void *ctx), void *ctx,
		struct arena *a, struct worker_outcome *out, struct rx_err *err)
{
	RX_CLEANUP(run_release)
	struct run r = { .o = o,
			 .action = action,
			 .a = a,
			 .out = out,
			 .dir_fd = -1,
			 .root_fd = -1,
			 .stdout_fd = -1,
			 .stderr_fd = -1,
			 .times = { .worker_start = clock_wall_ns() } };

	out->how = WORKER_DONE;
	if (!run_all(&r, cancel, on_executing, ctx, err))
		return false;
	r.times.worker_completed = clock_wall_ns();
	out->result.times = r.times;
	out->result.worker = o->name;
	return true;
}
