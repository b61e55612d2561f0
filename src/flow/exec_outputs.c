/* exec_outputs: declares an action's outputs and brings them home: verified, beside and renamed,
 * below one directory. */
#include "exec_outputs.h"

#include <fcntl.h>
#include <unistd.h>

#include "bytestream.h"
#include "cas.h"
#include "file.h"
#include "map.h"
#include "materialise.h"
#include "wire_tree.h"

#define STREAM_ABOVE (1 << 20) /* stdout and stderr larger than this are passed on in pieces */

const char *exec_outputs_hex(const struct digest *d, struct arena *a)
{
	char hex[129];

	digest_hex(d, hex);
	return arena_str(a, hex);
}

static bool is_directory_spec(const char *output)
{
	size_t n = strlen(output);

	return n && output[n - 1] == '/';
}

/* "out/" names the directory out; "./" the working directory itself. */
static const char *output_path(const char *output, struct arena *a)
{
	RX_CLEANUP(xfreep) char *clean = path_normalize(output);

	return arena_str(a, clean ? clean : output);
}

void exec_outputs_declare(const struct exec_options *o, struct arena *a, struct action *action,
			  bool old)
{
	action->output_paths = ARENA_ARRAY(a, const char *, o->n_outputs);
	action->output_files = ARENA_ARRAY(a, const char *, o->n_outputs);
	action->output_directories = ARENA_ARRAY(a, const char *, o->n_outputs);
	for (size_t i = 0; i < o->n_outputs; i++) {
		const char *path = output_path(o->outputs[i], a);

		action->output_paths[action->n_output_paths++] = path;
		if (!old)
			continue;
		if (is_directory_spec(o->outputs[i]))
			action->output_directories[action->n_output_directories++] = path;
		else
			action->output_files[action->n_output_files++] = path;
	}
}

const char *exec_outputs_missing(const struct exec_options *o, struct arena *a,
				 const struct result *r)
{
	for (size_t i = 0; i < o->n_outputs; i++) {
		const struct result_output *got;

		if (o->output_optional && o->output_optional[i])
			continue;
		got = result_find(r, output_path(o->outputs[i], a));
		if (!got || (is_directory_spec(o->outputs[i]) && got->kind == NODE_FILE))
			return o->outputs[i];
	}
	return NULL;
}

static bool wanted(const struct exec_options *o, const char *path, bool *yes, struct rx_err *err)
{
	*yes = o->download == EXEC_DOWNLOAD_ALL;
	if (o->download != EXEC_DOWNLOAD_MATCH)
		return true;
	return pattern_search(o->download_match, rx_view_str(path), yes, err);
}

/* Reads the Trees of all output directories at once. trees[i].p is NULL for what is not a Tree. */
static bool read_trees(struct blob_source *source, struct arena *a, const struct result *r,
		       struct rx_view *trees, struct digest_list *missing, struct rx_err *err)
{
	struct digest *want = ARENA_ARRAY(a, struct digest, r->n_outputs);
	struct rx_view *got = ARENA_ARRAY(a, struct rx_view, r->n_outputs);
	size_t *of = ARENA_ARRAY(a, size_t, r->n_outputs);
	size_t n = 0;

	for (size_t i = 0; i < r->n_outputs; i++) {
		if (r->outputs[i].kind != NODE_DIRECTORY ||
		    !digest_is_set(&r->outputs[i].tree_digest))
			continue;
		of[n] = i;
		want[n++] = r->outputs[i].tree_digest;
	}
	if (n &&
	    !source_read_many(source, want, n, LIMIT_TREE_BYTES, LIMIT_TREE_BYTES, a, got, err))
		return rx_wrap(err, "output directories");
	for (size_t i = 0; i < n; i++) {
		if (!got[i].p)
			digest_list_add(missing, &want[i]);
		trees[of[i]] = got[i];
	}
	return true;
}

static bool add_tree(struct materialise *m, const char *path, struct rx_view bytes, struct arena *a,
		     struct rx_err *err)
{
	struct wire_tree tree;
	struct rx_view *records;

	if (!wire_tree_unpack(a, bytes, &tree, err))
		return false;
	if (!tree.has_root)
		return rx_fail(err, RX_EPARSE, "the Tree has no root");
	records = ARENA_ARRAY(a, struct rx_view, tree.n_children + 1);
	records[0] = tree.root;
	if (tree.n_children)
		memcpy(records + 1, tree.children, tree.n_children * sizeof(*records));
	return materialise_records(m, path, records, tree.n_children + 1, err);
}

static bool add_output(struct materialise *m, const struct result_output *out, const char *path,
		       struct rx_view tree, struct blob_source *source, struct digest_list *missing,
		       struct arena *a, struct rx_err *err)
{
	switch (out->kind) {
	case NODE_FILE:
		return materialise_file(m, path, &out->digest, out->is_executable, out->contents,
					err);
	case NODE_SYMLINK:
		return materialise_symlink(m, path, out->target, err);
	case NODE_DIRECTORY:
		if (tree.p)
			return add_tree(m, path, tree, a, err);
		if (digest_is_set(&out->digest))
			return materialise_tree(m, path, &out->digest, source, missing, err);
		return rx_fail(err, RX_EPARSE, "the server sent neither a Tree nor a root digest");
	case NODE_UNKNOWN:
		break;
	}
	return rx_fail(err, RX_EPARSE, "an output of unknown kind");
}

/* What cannot be made is the result's fault, and with that the server's. */
static bool refuse_output(struct client *c, const char *path, struct rx_err *err)
{
	rx_wrap(err, "output '%s'", path);
	if (err->service || err->code == RX_ECANCEL)
		return false;
	rx_wrap(err, "%s", client_display(c, CLIENT_CAS));
	rx_hint(err,
		"try: --no-cache-lookup runs the action again, --download none takes no files");
	err->service = true;
	return false;
}

/* A server that names other paths must not overwrite files that nobody gave to the action. */
static bool check_declared(struct client *c, const struct exec_options *o, struct arena *a,
			   const struct result *r, struct rx_err *err)
{
	RX_CLEANUP(rx_map_release) struct rx_map declared = { 0 };

	for (size_t i = 0; i < o->n_outputs; i++) {
		const char *path = output_path(o->outputs[i], a);

		rx_map_put(&declared, path, strlen(path), (void *)path);
	}
	for (size_t i = 0; i < r->n_outputs; i++) {
		const char *path = r->outputs[i].path;

		if (!rx_map_get(&declared, path, strlen(path))) {
			rx_fail(err, RX_EPARSE, "the action does not declare it");
			return refuse_output(c, path, err);
		}
	}
	return true;
}

struct filter {
	const struct exec_options *o;
	size_t prefix; /* of the paths, before the part the user wrote */
};

static bool want_path(void *ctx, const char *path, bool *yes, struct rx_err *err)
{
	const struct filter *f = ctx;

	return wanted(f->o, path + RX_MIN(strlen(path), f->prefix), yes, err);
}

static bool fetch_files(struct client *c, const struct exec_options *o, struct arena *a,
			const struct result *r, struct digest_list *missing, struct rx_err *err)
{
	const char *dir = o->out_dir ? o->out_dir : o->root;
	struct blob_source *source = cas_source(c);
	struct filter filter = { .o = o, .prefix = o->cwd && *o->cwd ? strlen(o->cwd) + 1 : 0 };
	struct materialise_options mo = {
		.target_dir = dir,
		.codec = &wire_directory_codec,
		.function = client_function(c),
		.overwrite = true,
		.whole = true,
		.want = o->download == EXEC_DOWNLOAD_MATCH ? want_path : NULL,
		.want_ctx = &filter,
	};
	struct rx_view *trees = ARENA_ARRAY(a, struct rx_view, r->n_outputs);
	struct materialise_stats stats;
	struct materialise *m;
	bool ok;

	if (!check_declared(c, o, a, r, err))
		return false;
	if (!read_trees(source, a, r, trees, missing, err))
		return false;
	if (missing->n)
		return true;
	m = materialise_new(&mo);
	ok = true;
	for (size_t i = 0; ok && i < r->n_outputs; i++) {
		RX_CLEANUP(xfreep) char *path = path_join(o->cwd ? o->cwd : "", r->outputs[i].path);

		ok = add_output(m, &r->outputs[i], path, trees[i], source, missing, a, err) ||
		     refuse_output(c, r->outputs[i].path, err);
	}
	ok = ok && (missing->n || materialise_run(m, source, missing, &stats, err));
	materialise_free(m);
	return ok;
}

/* One of the action's two streams of text. */
struct text {
	struct rx_view raw;
	const struct digest *digest;
	const char *what;
	int fd;
	struct rx_view bytes; /* all of it, or the first EXEC_OUTPUT_KEEP bytes */
	bool stream;
};

static const struct exec_lost *lost(struct arena *a, const struct digest *d, const char *what)
{
	struct exec_lost *x = ARENA_NEW(a, struct exec_lost);

	*x = (struct exec_lost){ *d, what };
	return x;
}

/* Which output a missing blob belongs to. */
static const struct exec_lost *lost_output(struct arena *a, const struct result *r,
					   const struct digest *d)
{
	for (size_t i = 0; i < r->n_outputs; i++) {
		const struct result_output *o = &r->outputs[i];

		if (digest_eq(d, &o->digest) || digest_eq(d, &o->tree_digest))
			return lost(a, d, arena_printf(a, "output '%s'", o->path));
	}
	return lost(a, d, "part of an output directory");
}

static bool load_text(struct client *c, struct text *t, struct arena *a,
		      const struct exec_lost **lost_out, struct rx_err *err)
{
	/* Raw when there is any, else by digest (REAPI rule 141). */
	if (t->raw.n || !digest_is_set(t->digest) || t->digest->size == 0) {
		t->bytes = t->raw;
		return true;
	}
	if (t->digest->size > STREAM_ABOVE) {
		t->stream = true;
		return true;
	}
	if (!source_read_many(cas_source(c), t->digest, 1, STREAM_ABOVE, STREAM_ABOVE, a, &t->bytes,
			      err))
		return false;
	if (!t->bytes.p)
		*lost_out = lost(a, t->digest, t->what);
	return true;
}

struct tee {
	int fd;
	struct rx_buf *keep;
};

static bool tee_write(void *ctx, struct rx_view bytes, struct rx_err *err)
{
	struct tee *t = ctx;
	size_t room = EXEC_OUTPUT_KEEP - t->keep->n;

	rx_buf_add(t->keep, bytes.p, RX_MIN(bytes.n, room));
	return t->fd < 0 || file_write_fd(t->fd, bytes.p, bytes.n, err);
}

static bool pass_text(struct client *c, struct text *t, struct arena *a, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf keep = { .max = EXEC_OUTPUT_KEEP };
	struct tee tee = { .fd = t->fd, .keep = &keep };
	bool missing = false;

	if (!t->stream)
		return t->fd < 0 || file_write_fd(t->fd, t->bytes.p, t->bytes.n, err);
	if (!bytestream_read(c, t->digest, tee_write, &tee, &missing, err))
		return false;
	if (missing)
		return rx_fail(err, RX_ENOENT, "the server no longer has it");
	t->bytes = arena_view(a, rx_view_of(&keep));
	return true;
}

bool exec_outputs_fetch(struct client *c, const struct exec_options *o, struct arena *a,
			struct exec_outcome *out, int stdout_fd, int stderr_fd,
			const struct exec_lost **lost_out, struct rx_err *err)
{
	RX_CLEANUP(digest_list_release) struct digest_list missing = { 0 };
	struct text std_out = { .raw = out->result.stdout_raw,
				.digest = &out->result.stdout_digest,
				.what = "the action's stdout",
				.fd = stdout_fd };
	struct text std_err = { .raw = out->result.stderr_raw,
				.digest = &out->result.stderr_digest,
				.what = "the action's stderr",
				.fd = stderr_fd };

	*lost_out = NULL;
	if (!load_text(c, &std_out, a, lost_out, err) || !load_text(c, &std_err, a, lost_out, err))
		return rx_wrap(err, "the action's output");
	if (*lost_out)
		return true;
	if (o->download != EXEC_DOWNLOAD_NONE && o->out_dir &&
	    !file_mkdirs(AT_FDCWD, o->out_dir, 0777, false, err))
		return rx_wrap(err, "--out-dir");
	if (o->download != EXEC_DOWNLOAD_NONE && !fetch_files(c, o, a, &out->result, &missing, err))
		return err->service || err->code == RX_ECANCEL
			       ? rx_wrap(err, "download")
			       : rx_wrap(err, "download to '%s'",
					 o->out_dir ? o->out_dir : o->root);
	if (missing.n) {
		*lost_out = lost_output(a, &out->result, &missing.v[0]);
		return true;
	}
	/* Last, because it cannot be taken back. */
	if (!pass_text(c, &std_out, a, err))
		return rx_wrap(err, "the action's stdout");
	if (!pass_text(c, &std_err, a, err))
		return rx_wrap(err, "the action's stderr");
	out->stdout_bytes = std_out.bytes;
	out->stderr_bytes = std_err.bytes;
	return true;
}
