/* ac_service: GetActionResult and UpdateActionResult; which results are worth an answer. */
#include "limit.h"
#include "map.h"
#include "server_parts.h"
#include "wire_ac.h"
#include "wire_tree.h"

/* Files below the directories of an output are counted in: a result is a hit only as a whole. */
static bool directory_present(struct store *s, struct rx_view bytes, enum digest_function f,
			      struct digest_list *todo, struct digest_list *missing,
			      struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	struct directory dir;

	if (!wire_directory_unpack(&scratch, bytes, f, &dir, err))
		return false;
	for (size_t i = 0; i < dir.n_files; i++)
		if (!store_has(s, &dir.files[i].digest))
			digest_list_add(missing, &dir.files[i].digest);
	for (size_t i = 0; todo && i < dir.n_dirs; i++)
		digest_list_add(todo, &dir.dirs[i].digest);
	return true;
}

static bool read_or_miss(struct store *s, const struct digest *d, size_t max, struct rx_buf *out,
			 struct digest_list *missing, struct rx_err *err)
{
	out->max = max;
	if (store_read(s, d, max, out, err))
		return true;
	if (err->code != RX_ENOENT)
		return false;
	rx_err_release(err);
	digest_list_add(missing, d);
	return true;
}

static bool tree_present(struct store *s, const struct digest *d, struct digest_list *missing,
			 struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { 0 };
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	enum digest_function f = (enum digest_function)d->function;
	struct wire_tree tree;
	size_t before = missing->n;

	if (!read_or_miss(s, d, LIMIT_TREE_BYTES, &bytes, missing, err))
		return false;
	if (missing->n != before)
		return true;
	if (!wire_tree_unpack(&scratch, rx_view_of(&bytes), &tree, err) ||
	    !directory_present(s, tree.root, f, NULL, missing, err))
		return false;
	for (size_t i = 0; i < tree.n_children; i++)
		if (!directory_present(s, tree.children[i], f, NULL, missing, err))
			return false;
	return true;
}

/* By its root Directory, each directory once. */
static bool root_present(struct store *s, const struct digest *root, struct digest_list *missing,
			 struct rx_err *err)
{
	RX_CLEANUP(digest_list_release) struct digest_list todo = { 0 };
	RX_CLEANUP(rx_map_release) struct rx_map seen = { 0 };
	uint8_t key[DIGEST_KEY_MAX];

	digest_list_add(&todo, root);
	for (size_t i = 0; i < todo.n && i < LIMIT_TREE_NODES; i++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { 0 };
		struct digest d = todo.v[i];
		size_t before = missing->n;

		if (!rx_map_put(&seen, key, digest_key(&d, key), NULL))
			continue;
		if (!read_or_miss(s, &d, LIMIT_DIRECTORY_BYTES, &bytes, missing, err))
			return false;
		if (missing->n == before &&
		    !directory_present(s, rx_view_of(&bytes), (enum digest_function)d.function,
				       &todo, missing, err))
			return false;
	}
	return true;
}

/* Lists what a result refers to and the store has not; what it has lives on (REAPI rule 103). */
static bool result_missing(struct store *s, const struct result *r, struct digest_list *missing,
			   struct rx_err *err)
{
	const struct digest *const streams[] = { &r->stdout_digest, &r->stderr_digest };

	for (size_t i = 0; i < RX_COUNT(streams); i++)
		if (digest_is_set(streams[i]) && !store_has(s, streams[i]))
			digest_list_add(missing, streams[i]);
	for (size_t i = 0; i < r->n_outputs; i++) {
		const struct result_output *o = &r->outputs[i];

		if (o->kind == NODE_FILE && !store_has(s, &o->digest))
			digest_list_add(missing, &o->digest);
		if (o->kind == NODE_DIRECTORY && digest_is_set(&o->tree_digest) &&
		    !tree_present(s, &o->tree_digest, missing, err))
			return rx_wrap(err, "output directory '%s'", o->path);
		if (o->kind == NODE_DIRECTORY && digest_is_set(&o->digest) &&
		    !root_present(s, &o->digest, missing, err))
			return rx_wrap(err, "output directory '%s'", o->path);
	}
	return true;
}

static bool inline_blob(struct store *s, const struct digest *d, size_t *room, struct arena *a,
			struct rx_view *out, bool *changed, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = LIMIT_INLINE_BYTES };

	if (!digest_is_set(d) || d->size == 0 || out->n || (uint64_t)d->size > *room)
		return true;
	if (!store_read(s, d, LIMIT_INLINE_BYTES, &bytes, err)) {
		if (err->code != RX_ENOENT)
			return false;
		rx_err_release(err); /* found damaged right now: not inlined */
		return true;
	}
	*room -= bytes.n;
	*out = arena_view(a, rx_view_of(&bytes));
	*changed = true;
	return true;
}

static bool wished(const struct inline_wishes *w, const char *path)
{
	for (size_t i = 0; i < w->n_files; i++)
		if (strcmp(w->files[i], path) == 0)
			return true;
	return false;
}

bool ac_inline(struct store *s, const struct inline_wishes *w, struct arena *a, struct result *r,
	       bool *changed, struct rx_err *err)
{
	size_t room = LIMIT_INLINE_BYTES;

	*changed = false;
	if (w->stdout_raw &&
	    !inline_blob(s, &r->stdout_digest, &room, a, &r->stdout_raw, changed, err))
		return false;
	if (w->stderr_raw &&
	    !inline_blob(s, &r->stderr_digest, &room, a, &r->stderr_raw, changed, err))
		return false;
	for (size_t i = 0; w->n_files && i < r->n_outputs; i++) {
		struct result_output *o = &r->outputs[i];

		if (o->kind == NODE_FILE && wished(w, o->path) &&
		    !inline_blob(s, &o->digest, &room, a, &o->contents, changed, err))
			return false;
	}
	return true;
}

bool ac_lookup(struct store *s, const char *instance, const struct digest *action,
	       const struct inline_wishes *wishes, struct arena *a, struct result *out,
	       struct rx_buf *packed, bool *hit, struct rx_err *err)
{
	RX_CLEANUP(digest_list_release) struct digest_list missing = { 0 };
	struct rx_buf bytes = { .max = LIMIT_RESULT_BYTES };
	bool found, changed;
	struct rx_view view;
	struct result r;

	*hit = false;
	found = false;
	if (!store_ac_get(s, instance, action, &bytes, &found, err)) {
		rx_buf_release(&bytes);
		return false;
	}
	view = arena_view(a, rx_view_of(&bytes));
	rx_buf_release(&bytes);
	if (!found)
		return true;
	if (!wire_result_unpack(a, view, (enum digest_function)action->function, &r, err) ||
	    !result_missing(s, &r, &missing, err)) {
		if (err->code != RX_EPARSE && err->code != RX_ELIMIT)
			return false;
		rx_err_release(err); /* an entry nobody can use is none */
		return true;
	}
	if (missing.n)
		return true;
	if (!ac_inline(s, wishes, a, &r, &changed, err))
		return false;
	/* What was stored goes out as it is, with whatever newer fields it has. */
	if (changed)
		wire_result_pack(&r, WIRE_LINKS_NEW, packed);
	else
		rx_buf_add(packed, view.p, view.n);
	*out = r;
	*hit = true;
	return true;
}

static void get_result(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	struct arena *a = listen_arena(c);
	struct wire_get_result m;
	char text[DIGEST_TEXT_MAX];
	struct result r;
	bool hit;

	if (!wire_get_result_unpack(a, msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, m.instance) || !server_check_digest(c, &m.action))
		return;
	if (!ac_lookup(s->store, m.instance, &m.action,
		       &(struct inline_wishes){ m.inline_stdout, m.inline_stderr, m.inline_files,
						m.n_inline_files },
		       a, &r, &reply, &hit, &err)) {
		rx_buf_release(&reply);
		server_fail(c, &err);
		return;
	}
	if (!hit) { /* REAPI rule 102 */
		rx_buf_release(&reply);
		digest_format(&m.action, text);
		server_refuse(c, RPC_NOT_FOUND, "no result of action %s is cached", text);
		return;
	}
	server_reply(c, &reply);
}

/* What comes inside the result belongs into the store, too; it is checked there (REAPI rule 142).
 */
static bool store_inlined(struct store *s, const struct result *r, struct rx_err *err)
{
	if (r->stdout_raw.n && digest_is_set(&r->stdout_digest) &&
	    !store_put(s, &r->stdout_digest, r->stdout_raw, err))
		return rx_wrap(err, "stdout_raw");
	if (r->stderr_raw.n && digest_is_set(&r->stderr_digest) &&
	    !store_put(s, &r->stderr_digest, r->stderr_raw, err))
		return rx_wrap(err, "stderr_raw");
	for (size_t i = 0; i < r->n_outputs; i++) {
		const struct result_output *o = &r->outputs[i];

		if (o->kind == NODE_FILE && o->contents.n &&
		    !store_put(s, &o->digest, o->contents, err))
			return rx_wrap(err, "output '%s'", o->path);
	}
	return true;
}

/* Results come without their Action and Command from tools that have none; the outputs are needed
 * to make it a hit, so their absence is told at once (REAPI rule 104). */
static void update_result(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(digest_list_release) struct digest_list missing = { 0 };
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	struct arena *a = listen_arena(c);
	struct wire_update_result m;

	if (!server_check_writable(c))
		return;
	if (!wire_update_result_unpack(a, msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, m.instance) || !server_check_digest(c, &m.action))
		return;
	if (!store_inlined(s->store, &m.result, &err) ||
	    !result_missing(s->store, &m.result, &missing, &err)) {
		server_fail(c, &err);
		return;
	}
	if (missing.n) {
		server_missing(c, a, "outputs of the result", &missing);
		return;
	}
	if (!store_ac_put(s->store, m.instance, &m.action, m.raw_result, &err)) {
		server_fail(c, &err);
		return;
	}
	rx_buf_add(&reply, m.raw_result.p, m.raw_result.n);
	server_reply(c, &reply);
}

const struct listen_method *ac_methods(size_t *n)
{
	static const struct listen_method methods[] = {
		{ .path = WIRE_AC "GetActionResult",
		  .start = server_started,
		  .message = get_result,
		  .closed = server_closed },
		{ .path = WIRE_AC "UpdateActionResult",
		  .start = server_started,
		  .message = update_result,
		  .closed = server_closed },
	};

	*n = RX_COUNT(methods);
	return methods;
}
