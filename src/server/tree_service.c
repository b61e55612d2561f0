/* tree_service: GetTree: every Directory below a root, in pages. */
#include "limit.h"
#include "map.h"
#include "server_parts.h"
#include "utf8.h"
#include "wire_cas.h"
#include "wire_tree.h"

#define PAGE_DIRECTORIES 1000
#define PAGE_BYTES       (1 << 20)
#define PAGES_AHEAD      2

/* Breadth first, each directory once (REAPI rules 155, 156). The order depends on the tree alone,
 * so a page token is a place in it, bound to its root. */
struct tree_walk {
	struct digest root;
	size_t page_size;
	struct digest_list order; /* found so far, in order */
	size_t at;                /* next to be read */
	size_t sent;              /* directories that were there, skipped ones included */
	size_t skip;              /* of them, by the page token */
	struct rx_map seen;
	bool done;
};

static void walk_free(struct tree_walk *w)
{
	if (!w)
		return;
	digest_list_release(&w->order);
	rx_map_release(&w->seen);
	free(w);
}

static void found(struct tree_walk *w, const struct digest *d)
{
	uint8_t key[DIGEST_KEY_MAX];

	if (w->order.n < LIMIT_TREE_NODES && rx_map_put(&w->seen, key, digest_key(d, key), NULL))
		digest_list_add(&w->order, d);
}

static void token(const struct tree_walk *w, size_t place, char out[64])
{
	char hex[129];

	digest_hex(&w->root, hex);
	(void)snprintf(out, 64, "%zu-%.16s", place, hex);
}

static bool parse_token(struct tree_walk *w, const char *text)
{
	char again[64];
	size_t place = 0;

	if (!text[0])
		return true;
	for (const char *p = text; *p >= '0' && *p <= '9' && p - text < 9; p++)
		place = place * 10 + (size_t)(*p - '0');
	token(w, place, again);
	if (place == 0 || strcmp(again, text) != 0)
		return false;
	w->skip = place;
	return true;
}

/* Reads the next directory that is there and is one; NULL at the end. Parts that are missing are
 * left out (REAPI rule 155). Bytes live in the arena. */
static bool next_directory(struct server *s, struct tree_walk *w, struct arena *a,
			   struct rx_view *out, bool *end, struct rx_err *err)
{
	while (w->at < w->order.n) {
		RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = LIMIT_DIRECTORY_BYTES };
		RX_CLEANUP(arena_release) struct arena scratch = { 0 };
		struct digest d = w->order.v[w->at++];
		struct directory dir;

		if (!store_read(s->store, &d, LIMIT_DIRECTORY_BYTES, &bytes, err) ||
		    !wire_directory_unpack(&scratch, rx_view_of(&bytes),
					   (enum digest_function)d.function, &dir, err)) {
			if (err->code != RX_ENOENT && err->code != RX_EPARSE &&
			    err->code != RX_ELIMIT)
				return false;
			rx_err_reset(err);
			continue;
		}
		for (size_t i = 0; i < dir.n_dirs; i++)
			found(w, &dir.dirs[i].digest);
		w->sent++;
		if (w->sent <= w->skip)
			continue;
		*out = arena_view(a, rx_view_of(&bytes));
		return true;
	}
	*end = true;
	return true;
}

static bool more(struct server *s, struct tree_walk *w, struct rx_err *err)
{
	/* Whether another directory follows decides about the token, so it is read ahead of it and
	 * read again for its page. */
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	size_t at = w->at, sent = w->sent;
	struct rx_view bytes;
	bool end = false;

	if (!next_directory(s, w, &scratch, &bytes, &end, err))
		return true; /* the next page says why */
	w->at = at;
	w->sent = sent;
	return !end;
}

static bool send_page(struct listen_call *c, struct tree_walk *w, struct rx_err *err)
{
	struct server *s = listen_ctx(c);
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	struct wire_tree_page page = { .next_page_token = "" };
	size_t bytes = 0, cap = 0;
	char text[64];
	bool end = false;

	while (page.n < w->page_size && bytes < PAGE_BYTES) {
		struct rx_view dir;

		if (!next_directory(s, w, &a, &dir, &end, err)) {
			free(page.directories);
			return false;
		}
		if (end)
			break;
		RX_GROW(page.directories, page.n, cap);
		page.directories[page.n++] = dir;
		bytes += dir.n;
	}
	if (!end && more(s, w, err)) {
		token(w, w->sent, text);
		page.next_page_token = text;
	} else {
		w->done = true;
	}
	rx_err_reset(err);
	wire_tree_page_pack(&page, &reply);
	free(page.directories);
	if (reply.full) {
		rx_buf_release(&reply);
		return rx_fail(err, RX_ELIMIT, "a page of the tree is too large to send");
	}
	listen_send(c, rpc_body_take(&reply));
	return true;
}

/* Sends while the client keeps up; writable comes back for the rest. */
static void pump(struct listen_call *c)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct tree_walk *w = listen_data(c);

	while (w && !w->done && !listen_cancelled(c) && listen_queued(c) < PAGES_AHEAD) {
		if (!send_page(c, w, &err)) {
			w->done = true;
			server_fail(c, &err);
			return;
		}
		if (w->done)
			listen_finish(c, RPC_OK, "", (struct rx_view){ 0 });
	}
}

static void get_tree(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct wire_get_tree m;
	struct tree_walk *w;
	char text[DIGEST_TEXT_MAX];

	if (!wire_get_tree_unpack(listen_arena(c), msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, m.instance) || !server_check_digest(c, &m.root))
		return;
	if (m.page_size < 0) {
		server_refuse(c, RPC_INVALID_ARGUMENT, "page_size is negative");
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->root = m.root;
	w->page_size = m.page_size ? RX_MIN((size_t)m.page_size, (size_t)PAGE_DIRECTORIES)
				   : PAGE_DIRECTORIES;
	listen_set_data(c, w);
	if (!parse_token(w, m.page_token)) {
		server_refuse(c, RPC_INVALID_ARGUMENT, "page_token '%s' is not one of this tree's",
			      m.page_token);
		w->done = true;
		return;
	}
	if (!store_has(s->store, &m.root)) { /* REAPI rule 156 */
		digest_format(&m.root, text);
		server_refuse(c, RPC_NOT_FOUND, "the root directory %s is not in the store", text);
		w->done = true;
		return;
	}
	found(w, &m.root);
	pump(c);
}

static void tree_closed(struct listen_call *c)
{
	walk_free(listen_data(c));
	server_closed(c);
}

const struct listen_method *tree_methods(size_t *n)
{
	static const struct listen_method methods[] = {
		{ .path = WIRE_CAS "GetTree",
		  .start = server_started,
		  .message = get_tree,
		  .writable = pump,
		  .closed = tree_closed },
	};

	*n = RX_COUNT(methods);
	return methods;
}
