/* worker_load: an action by its digest: read, checked, and every Directory of its input root found.
 */
#include "worker_parts.h"

#include <stdarg.h>

#include "file.h"
#include "limit.h"
#include "map.h"
#include "utf8.h"
#include "wire_action.h"
#include "wire_tree.h"

bool worker_refuse(struct worker_outcome *out, struct arena *a, int grpc_code, const char *fmt, ...)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Paths of clients go into it; cut in the middle of a character it would not be text. */
	utf8_add_safe(&text, line, strlen(line), sizeof(line));
	out->how = WORKER_REFUSED;
	out->grpc_code = grpc_code;
	out->why = arena_str(a, rx_buf_str(&text));
	return true;
}

bool worker_refuse_err(struct worker_outcome *out, struct arena *a, int grpc_code,
		       struct rx_err *err)
{
	if (err->code != RX_EPARSE && err->code != RX_ELIMIT && err->code != RX_EUSAGE)
		return false;
	(void)worker_refuse(out, a, grpc_code, "%s", rx_err_text(err));
	rx_err_release(err);
	return true;
}

const char *worker_marks(unsigned marks)
{
	if (marks & MARK_DUPLICATE)
		return "something is listed twice";
	if (marks & MARK_UNSORTED)
		return "a list is not sorted";
	if (marks & MARK_ENCODING)
		return "it is not in canonical protobuf encoding";
	if (marks & MARK_UNKNOWN_FIELD)
		return "it has fields unknown to this server";
	/* Absolute symlinks are allowed (REAPI rule 51), paths that stay below the root are looked
	 * at by settle_paths. */
	return NULL;
}

static bool unpack_strict(struct arena *a, struct rx_view bytes, enum digest_function f,
			  struct directory *out, struct rx_err *err)
{
	const char *wrong;

	if (!wire_directory_unpack(a, bytes, f, out, err))
		return false;
	wrong = worker_marks(out->marks);
	if (wrong)
		return rx_fail(err, RX_EPARSE, "%s (REAPI wants canonical Directory messages)",
			       wrong);
	return true;
}

const struct directory_codec worker_codec = { .pack = wire_directory_pack,
					      .unpack = unpack_strict };

/* ---- all directories ---- */

struct level {
	struct digest *v;
	size_t n, cap;
};
struct survey {
	struct blob_source *inputs;
	struct rx_map seen;
	struct level now, next;
	struct worker_outcome *out;
	size_t bytes, nodes;
};

static void survey_release(struct survey *s)
{
	rx_map_release(&s->seen);
	free(s->now.v);
	free(s->next.v);
}

static void want(struct survey *s, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];

	if (!rx_map_put(&s->seen, key, digest_key(d, key), NULL))
		return;
	RX_GROW(s->next.v, s->next.n, s->next.cap);
	s->next.v[s->next.n++] = *d;
}

static bool read_level(struct survey *s, enum digest_function f, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(xfreep) struct rx_view *bytes = xcalloc(s->now.n, sizeof(*bytes));
	char text[DIGEST_TEXT_MAX];

	if (!source_read_many(s->inputs, s->now.v, s->now.n, LIMIT_DIRECTORY_BYTES,
			      LIMIT_TREE_BYTES - s->bytes, &a, bytes, err))
		return rx_wrap(err, "reading the input root");
	for (size_t i = 0; i < s->now.n; i++) {
		struct directory d = { 0 };

		if (!bytes[i].p) {
			digest_list_add(&s->out->missing, &s->now.v[i]);
			continue;
		}
		s->bytes += bytes[i].n;
		digest_short(&s->now.v[i], text);
		if (!unpack_strict(&a, bytes[i], f, &d, err))
			return rx_wrap(err, "Directory %s", text);
		s->nodes += d.n_files + d.n_dirs + d.n_links;
		if (s->nodes > LIMIT_TREE_NODES)
			return rx_fail(err, RX_ELIMIT, "the input root has more than %d entries",
				       LIMIT_TREE_NODES);
		for (size_t k = 0; k < d.n_dirs; k++)
			want(s, &d.dirs[k].digest);
	}
	return true;
}

static bool survey_run(struct survey *s, const struct digest *root, struct rx_err *err)
{
	want(s, root);
	for (int depth = 0; s->next.n; depth++) {
		struct level done = s->now;

		if (depth > LIMIT_TREE_DEPTH)
			return rx_fail(err, RX_ELIMIT,
				       "the input root is more than %d directories deep",
				       LIMIT_TREE_DEPTH);
		s->now = s->next;
		s->next = done;
		s->next.n = 0;
		if (!read_level(s, (enum digest_function)root->function, err))
			return false;
	}
	return true;
}

/* ---- Action and Command ---- */

/* The bytes live in the arena, as the unpacked message points into them. False in *there: it went
 * to the missing ones. */
static bool read_blob(struct blob_source *inputs, const struct digest *d, size_t max,
		      const char *what, struct arena *a, struct worker_outcome *out,
		      struct rx_view *bytes, bool *there, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];

	digest_short(d, text);
	if (d->size > (int64_t)max)
		return rx_fail(err, RX_ELIMIT, "%s %s is larger than the limit of %zu bytes", what,
			       text, max);
	if (!source_read_many(inputs, d, 1, max, max, a, bytes, err))
		return rx_wrap(err, "reading %s %s", what, text);
	*there = bytes->p != NULL;
	if (!*there)
		digest_list_add(&out->missing, d);
	return true;
}

static bool load_action(struct blob_source *inputs, const struct digest *digest, struct arena *a,
			struct action *action, struct worker_outcome *out, bool *there,
			struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];
	struct rx_view bytes;
	const char *wrong;

	digest_short(digest, text);
	action->digest = *digest;
	if (!read_blob(inputs, digest, LIMIT_ACTION_BYTES, "Action", a, out, &bytes, there, err))
		return false;
	if (!*there)
		return true;
	if (!wire_action_unpack(a, bytes, action, err))
		return rx_wrap(err, "Action %s", text);
	wrong = worker_marks(action->marks);
	return !wrong || rx_fail(err, RX_EPARSE, "Action %s: %s", text, wrong);
}

/* REAPI rules 132 and 134, read kindly: trexe says "." where it means the root, and sends output
 * paths as they were given ("../out"). What leads out of the root is refused. */
static bool settle_paths(struct arena *a, struct action *action, struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *cwd = *action->cwd == '/' ? NULL : path_normalize(action->cwd);
	const char **lists[] = { action->output_paths, action->output_files,
				 action->output_directories };
	const size_t n[] = { action->n_output_paths, action->n_output_files,
			     action->n_output_directories };

	if (!cwd)
		return rx_fail(err, RX_EPARSE, "the working directory leads out of the root");
	action->cwd = arena_str(a, cwd);
	for (size_t k = 0; k < RX_COUNT(lists); k++)
		for (size_t i = 0; i < n[k]; i++) {
			RX_CLEANUP(xfreep) char *path = path_below(cwd, lists[k][i]);
			bool itself = k == 2 && !*lists[k][i];

			if (!path && !itself)
				return rx_fail(
					err, RX_EPARSE,
					"the output path '%.300s' is not clean or leads out of "
					"the root",
					lists[k][i]);
		}
	return true;
}

static bool load_command(struct blob_source *inputs, struct arena *a, struct action *action,
			 struct worker_outcome *out, struct rx_err *err)
{
	char text[DIGEST_TEXT_MAX];
	struct rx_view bytes;
	const char *wrong;
	bool there;

	digest_short(&action->command_digest, text);
	if (!read_blob(inputs, &action->command_digest, LIMIT_COMMAND_BYTES, "Command", a, out,
		       &bytes, &there, err))
		return false;
	if (!there)
		return true;
	if (!wire_command_unpack(a, bytes, action, err))
		return rx_wrap(err, "Command %s", text);
	wrong = worker_marks(action->marks);
	if (wrong)
		return rx_fail(err, RX_EPARSE, "Command %s: %s", text, wrong);
	return settle_paths(a, action, err) || rx_wrap(err, "Command %s", text);
}

bool worker_load(struct blob_source *inputs, const struct digest *digest, struct arena *a,
		 struct action *action, struct worker_outcome *out, struct rx_err *err)
{
	RX_CLEANUP(survey_release) struct survey s = { .inputs = inputs, .out = out };
	bool there = false;
	bool ok = load_action(inputs, digest, a, action, out, &there, err);

	if (ok && there)
		ok = load_command(inputs, a, action, out, err) &&
		     survey_run(&s, &action->input_root, err);
	if (!ok)
		return worker_refuse_err(out, a, RPC_INVALID_ARGUMENT, err);
	out->how = out->missing.n ? WORKER_MISSING_INPUTS : WORKER_DONE;
	return true;
}
