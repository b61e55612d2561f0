/* wire_result: ActionResult, with old and new link fields folded into one list. */
#include "wire_result.h"

#include "file.h"
#include "map.h"
#include "wire_pb.h"

static Re__OutputFile *pack_file(struct arena *a, const struct result_output *o)
{
	Re__OutputFile *m = PB_NEW(a, Re__OutputFile, re__output_file);

	m->path = wire_pb_text(o->path);
	m->digest = wire_pb_digest(a, &o->digest);
	m->is_executable = o->is_executable;
	m->contents = wire_pb_bytes(o->contents);
	m->node_properties = wire_pb_properties(a, &o->props);
	return m;
}

static Re__OutputDirectory *pack_directory(struct arena *a, const struct result_output *o)
{
	Re__OutputDirectory *m = PB_NEW(a, Re__OutputDirectory, re__output_directory);

	m->path = wire_pb_text(o->path);
	m->tree_digest = wire_pb_digest(a, &o->tree_digest);
	m->is_topologically_sorted = o->topological;
	m->root_directory_digest = wire_pb_digest(a, &o->digest);
	return m;
}

static Re__OutputSymlink *pack_link(struct arena *a, const struct result_output *o)
{
	Re__OutputSymlink *m = PB_NEW(a, Re__OutputSymlink, re__output_symlink);

	m->path = wire_pb_text(o->path);
	m->target = wire_pb_text(o->target);
	m->node_properties = wire_pb_properties(a, &o->props);
	return m;
}

static Re__ExecutedActionMetadata *pack_metadata(struct arena *a, const struct result *r)
{
	static const struct result_times none;
	Re__ExecutedActionMetadata *m;
	const struct result_times *t = &r->times;

	if (!(r->worker && *r->worker) && memcmp(t, &none, sizeof(none)) == 0)
		return NULL;
	m = PB_NEW(a, Re__ExecutedActionMetadata, re__executed_action_metadata);
	m->worker = wire_pb_text(r->worker);
	m->queued_timestamp = wire_pb_time(a, t->queued);
	m->worker_start_timestamp = wire_pb_time(a, t->worker_start);
	m->worker_completed_timestamp = wire_pb_time(a, t->worker_completed);
	m->input_fetch_start_timestamp = wire_pb_time(a, t->input_start);
	m->input_fetch_completed_timestamp = wire_pb_time(a, t->input_completed);
	m->execution_start_timestamp = wire_pb_time(a, t->execution_start);
	m->execution_completed_timestamp = wire_pb_time(a, t->execution_completed);
	m->output_upload_start_timestamp = wire_pb_time(a, t->output_start);
	m->output_upload_completed_timestamp = wire_pb_time(a, t->output_completed);
	return m;
}

Re__ActionResult *wire_pb_result(struct arena *a, const struct result *r, unsigned links)
{
	Re__ActionResult *m = PB_NEW(a, Re__ActionResult, re__action_result);
	Re__OutputSymlink **symlinks = ARENA_ARRAY(a, Re__OutputSymlink *, r->n_outputs);
	size_t n = 0;

	m->output_files = ARENA_ARRAY(a, Re__OutputFile *, r->n_outputs);
	m->output_directories = ARENA_ARRAY(a, Re__OutputDirectory *, r->n_outputs);
	for (size_t i = 0; i < r->n_outputs; i++) {
		const struct result_output *o = &r->outputs[i];

		if (o->kind == NODE_FILE)
			m->output_files[m->n_output_files++] = pack_file(a, o);
		else if (o->kind == NODE_DIRECTORY)
			m->output_directories[m->n_output_directories++] = pack_directory(a, o);
		else if (o->kind == NODE_SYMLINK)
			symlinks[n++] = pack_link(a, o);
	}
	/* REAPI rule 137: the new field for those who used output_paths, the old one for the
	 * others, where clients look at both lists of it alike. */
	if (links & WIRE_LINKS_NEW) {
		m->output_symlinks = symlinks;
		m->n_output_symlinks = n;
	}
	if (links & WIRE_LINKS_OLD) {
		m->output_file_symlinks = symlinks;
		m->n_output_file_symlinks = n;
	}
	m->exit_code = r->exit_code;
	m->stdout_raw = wire_pb_bytes(r->stdout_raw);
	m->stdout_digest = wire_pb_digest(a, &r->stdout_digest);
	m->stderr_raw = wire_pb_bytes(r->stderr_raw);
	m->stderr_digest = wire_pb_digest(a, &r->stderr_digest);
	m->execution_metadata = pack_metadata(a, r);
	return m;
}

void wire_result_pack(const struct result *r, unsigned links, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };

	wire_pack(&wire_pb_result(&scratch, r, links)->base, out);
}

/* The outputs read so far, each path once. */
struct outputs {
	struct arena *arena;
	enum digest_function function;
	struct rx_map places; /* path -> struct result_output */
	struct result_output *v;
	size_t n;
	unsigned marks;
};

static void outputs_release(struct outputs *o)
{
	rx_map_release(&o->places);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same(const struct result_output *a, const struct result_output *b)
{
	return a->kind == b->kind && digest_eq(&a->digest, &b->digest) &&
	       digest_eq(&a->tree_digest, &b->tree_digest) && same_text(a->target, b->target) &&
	       a->is_executable == b->is_executable;
}

/* Clean, or clean behind leading ".." parts: compilers write beside their working directory, and
 * where that ends depends on the Command. Who reads the entry decides by the mark. */
static bool check_path(struct outputs *o, const struct result_output *new)
{
	const char *rest = new->path;

	if (!*rest)
		return new->kind == NODE_DIRECTORY; /* the working directory, declared as output */
	while (strncmp(rest, "../", 3) == 0)
		rest += 3;
	if (rest != new->path)
		o->marks |= MARK_OUTPUT_PATH;
	return path_is_relative_clean(rest);
}

static bool add(struct outputs *o, const struct result_output *new, struct rx_err *err)
{
	void **place;
	bool added;

	/* REAPI rule 144 */
	if (strlen(new->path) > LIMIT_PATH_BYTES)
		return rx_fail(err, RX_ELIMIT,
			       "ActionResult: an output path of %zu bytes, limit %d",
			       strlen(new->path), LIMIT_PATH_BYTES);
	if (!check_path(o, new))
		return rx_fail(err, RX_EPARSE,
			       "ActionResult: output '%.300s' is not a clean relative path",
			       new->path);
	place = rx_map_slot(&o->places, new->path, strlen(new->path), &added);
	if (added) {
		o->v[o->n] = *new;
		*place = &o->v[o->n++];
		return true;
	}
	/* REAPI rule 137: links may be told in an old and in a new field. */
	if (!same(*place, new))
		return rx_fail(err, RX_EPARSE,
			       "ActionResult: output '%.300s' is there twice, as different things",
			       new->path);
	return true;
}

/* REAPI rule 142. */
static bool check_contents(const struct result_output *o, struct rx_err *err)
{
	enum digest_function f = (enum digest_function)o->digest.function;
	struct digest is;

	if (!o->contents.n)
		return true;
	if ((int64_t)o->contents.n == o->digest.size) {
		if (!digest_function_supported(f))
			return true; /* the caller decides what to believe */
		digest_of_view(f, o->contents, &is);
		if (digest_eq(&is, &o->digest))
			return true;
	}
	return rx_fail(err, RX_EDIGEST,
		       "ActionResult: the content of '%.300s' does not have the digest beside it",
		       o->path);
}

static bool add_file(struct outputs *o, const Re__OutputFile *m, struct rx_err *err)
{
	struct result_output out = {
		.path = m->path,
		.kind = NODE_FILE,
		.is_executable = m->is_executable,
		.contents = wire_pb_view(m->contents),
	};

	return wire_pb_read_digest(m->digest, o->function, true, "OutputFile.digest", &out.digest,
				   err) &&
	       wire_pb_read_properties(o->arena, m->node_properties, "OutputFile", &out.props,
				       err) &&
	       check_contents(&out, err) && add(o, &out, err);
}

static bool add_directory(struct outputs *o, const Re__OutputDirectory *m, struct rx_err *err)
{
	struct result_output out = {
		.path = m->path,
		.kind = NODE_DIRECTORY,
		.topological = m->is_topologically_sorted,
	};

	if (!wire_pb_read_digest(m->tree_digest, o->function, false, "OutputDirectory.tree_digest",
				 &out.tree_digest, err) ||
	    !wire_pb_read_digest(m->root_directory_digest, o->function, false,
				 "OutputDirectory.root_directory_digest", &out.digest, err))
		return false;
	/* REAPI rules 139, 140: either one will do */
	if (!digest_is_set(&out.tree_digest) && !digest_is_set(&out.digest))
		return rx_fail(err, RX_EPARSE,
			       "OutputDirectory: '%.300s' has neither tree_digest nor "
			       "root_directory_digest",
			       m->path);
	return add(o, &out, err);
}

static bool add_links(struct outputs *o, Re__OutputSymlink **v, size_t n, struct rx_err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct result_output out = {
			.path = v[i]->path,
			.kind = NODE_SYMLINK,
			.target = v[i]->target,
		};

		if (!*v[i]->target)
			return rx_fail(err, RX_EPARSE,
				       "OutputSymlink.target: is empty for '%.300s'", v[i]->path);
		if (strlen(v[i]->target) > LIMIT_PATH_BYTES)
			return rx_fail(err, RX_ELIMIT, "OutputSymlink.target: %zu bytes, limit %d",
				       strlen(v[i]->target), LIMIT_PATH_BYTES);
		if (!wire_pb_read_properties(o->arena, v[i]->node_properties, "OutputSymlink",
					     &out.props, err) ||
		    !add(o, &out, err))
			return false;
	}
	return true;
}

static bool add_all(struct outputs *o, const Re__ActionResult *m, struct rx_err *err)
{
	for (size_t i = 0; i < m->n_output_files; i++)
		if (!add_file(o, m->output_files[i], err))
			return rx_wrap(err, "output_files[%zu]", i);
	for (size_t i = 0; i < m->n_output_directories; i++)
		if (!add_directory(o, m->output_directories[i], err))
			return rx_wrap(err, "output_directories[%zu]", i);
	return add_links(o, m->output_symlinks, m->n_output_symlinks, err) &&
	       add_links(o, m->output_file_symlinks, m->n_output_file_symlinks, err) &&
	       add_links(o, m->output_directory_symlinks, m->n_output_directory_symlinks, err);
}

static void read_metadata(const Re__ExecutedActionMetadata *m, struct result *out)
{
	out->worker = "";
	if (!m)
		return;
	out->worker = m->worker;
	out->times = (struct result_times){
		.queued = wire_pb_read_time(m->queued_timestamp),
		.worker_start = wire_pb_read_time(m->worker_start_timestamp),
		.worker_completed = wire_pb_read_time(m->worker_completed_timestamp),
		.input_start = wire_pb_read_time(m->input_fetch_start_timestamp),
		.input_completed = wire_pb_read_time(m->input_fetch_completed_timestamp),
		.execution_start = wire_pb_read_time(m->execution_start_timestamp),
		.execution_completed = wire_pb_read_time(m->execution_completed_timestamp),
		.output_start = wire_pb_read_time(m->output_upload_start_timestamp),
		.output_completed = wire_pb_read_time(m->output_upload_completed_timestamp),
	};
}

bool wire_pb_read_result(struct arena *a, const Re__ActionResult *m, enum digest_function f,
			 struct result *out, struct rx_err *err)
{
	struct result r = { .exit_code = m->exit_code };
	RX_CLEANUP(outputs_release) struct outputs o = { .arena = a, .function = f };

	o.v = ARENA_ARRAY(a, struct result_output,
			  m->n_output_files + m->n_output_directories + m->n_output_symlinks +
				  m->n_output_file_symlinks + m->n_output_directory_symlinks);
	if (!add_all(&o, m, err) ||
	    !wire_pb_read_digest(m->stdout_digest, f, false, "ActionResult.stdout_digest",
				 &r.stdout_digest, err) ||
	    !wire_pb_read_digest(m->stderr_digest, f, false, "ActionResult.stderr_digest",
				 &r.stderr_digest, err))
		return false;
	r.outputs = o.v;
	r.n_outputs = o.n;
	r.marks = o.marks;
	r.stdout_raw = wire_pb_view(m->stdout_raw);
	r.stderr_raw = wire_pb_view(m->stderr_raw);
	read_metadata(m->execution_metadata, &r);
	*out = r;
	return true;
}

bool wire_result_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
			struct result *out, struct rx_err *err)
{
	unsigned marks = 0;
	Re__ActionResult *m = wire_unpack(a, &re__action_result__descriptor, bytes,
					  LIMIT_RESULT_BYTES, &marks, err);

	return m && wire_pb_read_result(a, m, f, out, err);
}
