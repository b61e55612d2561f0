/* rpc_fixture: the methods and the set-up behind rpc_fixture.h. */
#include "rpc_fixture.h"

#include <fcntl.h>

#include "clock.h"
#include "file.h"

static const struct rx_view none = { "", 0 };

static struct fixture *of(struct listen_call *c)
{
	return listen_ctx(c);
}

static bool count_start(struct listen_call *c)
{
	of(c)->started++;
	return true;
}

static void count_closed(struct listen_call *c)
{
	if (listen_cancelled(c))
		of(c)->cancelled++;
	free(listen_data(c));
	of(c)->closed++;
}

static void echo(struct listen_call *c, struct rx_view m)
{
	of(c)->messages++;
	listen_reply(c, rpc_body_copy(m));
}

static void fail(struct listen_call *c, struct rx_view m)
{
	char *text = arena_strn(listen_arena(c), m.p, m.n);
	char *end;
	long code = strtol(text, &end, 10);

	listen_finish(c, (int)code, *end ? end + 1 : "", RX_VIEW("DETAILS"));
}

static void header(struct listen_call *c, struct rx_view m)
{
	listen_reply(c, rpc_body_copy(listen_header(c, arena_strn(listen_arena(c), m.p, m.n))));
}

static void peer(struct listen_call *c, struct rx_view m)
{
	(void)m;
	listen_reply(c, rpc_body_copy(rx_view_str(arena_printf(
				listen_arena(c), "%s %s", listen_peer(c),
				listen_peer_authenticated(c) ? "authenticated" : "unknown"))));
}

static void never(struct listen_call *c, struct rx_view m)
{
	(void)m;
	of(c)->messages++;
}

struct count {
	long left;
	size_t size;
};

static void count_more(struct listen_call *c)
{
	struct count *n = listen_data(c);

	while (n->left > 0 && listen_queued(c) < 2) {
		char *p = xmalloc(n->size + 1);

		memset(p, (char)n->left, n->size);
		n->left--;
		listen_send(c, (struct rpc_body){ .v = { { p, n->size, free, p } }, .n = 1 });
		of(c)->messages++;
	}
	if (!n->left)
		listen_finish(c, 0, "", none);
}

static void count(struct listen_call *c, struct rx_view m)
{
	struct count *n = xcalloc(1, sizeof(*n));
	char *end;

	n->left = strtol(arena_strn(listen_arena(c), m.p, m.n), &end, 10);
	n->size = strtoul(end, NULL, 10);
	listen_set_data(c, n);
	count_more(c);
}

static void once(struct listen_call *c, struct rx_view m)
{
	listen_send(c, rpc_body_copy(m));
}

static void sum(struct listen_call *c, struct rx_view m)
{
	long *total = listen_data(c);

	if (!total) {
		total = xcalloc(1, sizeof(*total));
		listen_set_data(c, total);
	}
	*total += (long)m.n;
	of(c)->messages++;
}

static void sum_end(struct listen_call *c)
{
	long *total = listen_data(c);

	listen_reply(c, rpc_body_copy(rx_view_str(
				arena_printf(listen_arena(c), "%ld", total ? *total : 0))));
}

static void early(struct listen_call *c, struct rx_view m)
{
	(void)m;
	of(c)->messages++;
	listen_reply(c, rpc_body_copy(RX_VIEW("early")));
}

static void refuse(struct listen_call *c, struct rx_view m)
{
	(void)m;
	of(c)->messages++;
	listen_finish(c, RPC_INVALID_ARGUMENT, "no more of this", none);
}

static bool slow_start(struct listen_call *c)
{
	listen_ref(c);
	of(c)->slow = c;
	return count_start(c);
}

static void slow(struct listen_call *c, struct rx_view m)
{
	listen_hold(c);
	sum(c, m);
}

void fixture_let_go(struct fixture *f)
{
	listen_resume(f->slow);
}

static void ignore(struct listen_call *c)
{
	(void)c;
}

static const struct listen_method methods[] = {
	{ "/t.T/Echo", count_start, echo, NULL, NULL, count_closed },
	{ "/t.T/Fail", count_start, fail, NULL, NULL, count_closed },
	{ "/t.T/Header", count_start, header, NULL, NULL, count_closed },
	{ "/t.T/Peer", NULL, peer, NULL, NULL, NULL },
	{ "/t.T/Never", count_start, never, NULL, NULL, count_closed },
	{ "/t.T/Count", count_start, count, NULL, count_more, count_closed },
	{ "/t.T/Once", count_start, once, NULL, NULL, count_closed },
	{ "/t.T/Sum", count_start, sum, sum_end, NULL, count_closed },
	{ "/t.T/Early", count_start, early, ignore, NULL, count_closed },
	{ "/t.T/Refuse", count_start, refuse, ignore, NULL, count_closed },
	{ "/t.T/Slow", slow_start, slow, sum_end, NULL, count_closed },
};

static void die(const struct rx_err *err)
{
	fprintf(stderr, "fixture: %s\n", rx_err_text(err));
	abort();
}

void fixture_open(struct fixture *f, const struct listen_options *listen)
{
	struct rx_err err = { 0 };
	struct listen_options o = { 0 };
	char *target;

	memset(f, 0, sizeof(*f));
	if (listen)
		o = *listen;
	if (!file_temp_dir("/tmp", "rpc-", &f->dir, &err))
		die(&err);
	f->socket = path_join(f->dir, "s");
	if (!o.address)
		o.unix_path = f->socket;
	f->loop = loop_new();
	f->pool = pool_new(2, 64);
	f->listener = listen_new(f->loop, f->pool, &o, methods, RX_COUNT(methods), f, &err);
	if (!f->listener)
		die(&err);
	if (o.address)
		target = xasprintf("127.0.0.1:%d", listen_port(f->listener));
	else
		target = xasprintf("unix:%s", f->socket);
	f->channel = fixture_channel(f, &(struct channel_options){ .target = target });
	free(target);
}

struct channel *fixture_channel(struct fixture *f, const struct channel_options *o)
{
	struct rx_err err = { 0 };
	struct channel *c = channel_new(f->loop, o, &err);

	if (!c)
		die(&err);
	return c;
}

void fixture_close(struct fixture *f)
{
	struct rx_err err = { 0 };

	channel_free(f->channel);
	listen_free(f->listener, 0);
	if (f->slow)
		listen_unref(f->slow);
	loop_free(f->loop);
	pool_free(f->pool);
	if (!file_remove_tree(AT_FDCWD, f->dir, &err))
		die(&err);
	free(f->dir);
	free(f->socket);
}

bool fixture_wait(atomic_int *counter, int n)
{
	for (int i = 0; i < 1000 && *counter < n; i++)
		clock_sleep_ms(5);
	return *counter >= n;
}

struct counted {
	atomic_int *released;
	char bytes[];
};

static void counted_release(void *ctx)
{
	struct counted *c = ctx;

	(*c->released)++;
	free(c);
}

struct rpc_body fixture_body(size_t n, atomic_int *released)
{
	struct counted *c = xmalloc(sizeof(*c) + n + 1);

	c->released = released;
	memset(c->bytes, 'x', n);
	return (struct rpc_body){ .v = { { c->bytes, n, counted_release, c } }, .n = 1 };
}
