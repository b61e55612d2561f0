/* rpc_bench: what a call costs: round trips per second and stream throughput over a unix socket and
 * loopback TCP, client and listener in this one process. Prints medians of five. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "call.h"
#include "clock.h"
#include "file.h"
#include "listen.h"

#define UNARY  20000
#define CHUNK  (2 << 20)
#define TOTAL  (1 << 30)
#define ROUNDS 5

static void echo(struct listen_call *c, struct rx_view m)
{
	listen_reply(c, rpc_body_copy(m));
}

static void take(struct listen_call *c, struct rx_view m)
{
	listen_set_data(c, (char *)listen_data(c) + m.n);
}

static void took(struct listen_call *c)
{
	char n[32];

	snprintf(n, sizeof(n), "%zu", (size_t)listen_data(c));
	listen_reply(c, rpc_body_copy(rx_view_str(n)));
}

static char chunk[CHUNK];

static void nothing(void *ctx)
{
	(void)ctx;
}

static struct rpc_body chunk_body(void)
{
	return (struct rpc_body){ .v = { { chunk, CHUNK, nothing, NULL } }, .n = 1 };
}

static void give(struct listen_call *c)
{
	size_t left = (size_t)listen_data(c);

	while (left && listen_queued(c) < 2) {
		listen_send(c, chunk_body());
		left -= CHUNK;
	}
	listen_set_data(c, (void *)left);
	if (!left)
		listen_finish(c, 0, "", (struct rx_view){ "", 0 });
}

static void give_start(struct listen_call *c, struct rx_view m)
{
	(void)m;
	listen_set_data(c, (void *)(size_t)TOTAL);
	give(c);
}

static const struct listen_method methods[] = {
	{ "/b.B/Echo", NULL, echo, NULL, NULL, NULL },
	{ "/b.B/Write", NULL, take, took, NULL, NULL },
	{ "/b.B/Read", NULL, give_start, NULL, give, NULL },
};

struct flight {
	struct channel *ch;
	atomic_int left, done;
};

static void launch(struct flight *f);

static void landed(void *ctx, const struct call_reply *r)
{
	struct flight *f = ctx;

	if (r->status.code != RPC_OK)
		abort();
	f->done++;
	launch(f);
}

static void launch(struct flight *f)
{
	if (atomic_fetch_sub(&f->left, 1) > 0)
		call_unary_start(f->ch, "/b.B/Echo",
				 rpc_body_copy(RX_VIEW("some 32 bytes of a request ....")), NULL,
				 landed, f);
}

static void unary(struct channel *ch, int in_flight)
{
	struct flight f = { .ch = ch, .left = UNARY };

	for (int i = 0; i < in_flight; i++)
		launch(&f);
	while (f.done < UNARY)
		clock_sleep_ms(1);
}

static void unary_1(struct channel *ch)
{
	unary(ch, 1);
}

static void unary_32(struct channel *ch)
{
	unary(ch, 32);
}

static void unary_blocking(struct channel *ch)
{
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;

	for (int i = 0; i < UNARY; i++) {
		if (!call_unary(ch, "/b.B/Echo", rpc_body_copy(RX_VIEW("request")), NULL, &a, &m,
				NULL, &err))
			abort();
		arena_reset(&a);
	}
	arena_release(&a);
}

static void write_stream(struct channel *ch)
{
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;
	struct call_writer *w = call_write(ch, "/b.B/Write", NULL);

	for (int i = 0; i < TOTAL / CHUNK; i++) {
		if (!call_write_send(w, chunk_body()))
			abort();
	}
	if (!call_write_end(w, &a, &m, NULL, &err))
		abort();
	call_write_free(w);
	arena_release(&a);
}

static void read_stream(struct channel *ch)
{
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;
	struct call_reader *r = call_read(ch, "/b.B/Read", rpc_body_copy(RX_VIEW("x")), NULL);
	size_t n = 0;

	while (call_read_next(r, &m, &a, NULL, &err) == CALL_MESSAGE)
		n += m.n;
	if (n != TOTAL)
		abort();
	call_read_free(r);
	arena_release(&a);
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void measure(const char *name, struct channel *ch, void (*fn)(struct channel *), double work,
		    const char *unit)
{
	double wall[ROUNDS], used[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double c = cpu();
		int64_t t = clock_mono_ns();

		fn(ch);
		wall[i] = (double)(clock_mono_ns() - t) / 1e9;
		used[i] = cpu() - c;
	}
	qsort(wall, ROUNDS, sizeof(double), by_value);
	qsort(used, ROUNDS, sizeof(double), by_value);
	printf("%-16s %10.1f %s  (best %.1f)  cpu %.2f s\n", name, work / wall[ROUNDS / 2], unit,
	       work / wall[0], used[ROUNDS / 2]);
}

static void run(struct loop *l, struct pool *p, const struct listen_options *o, const char *dir)
{
	struct rx_err err = { 0 };
	struct listener *s = listen_new(l, p, o, methods, RX_COUNT(methods), NULL, &err);

	if (!s) {
		fprintf(stderr, "%s\n", rx_err_text(&err));
		exit(1);
	}
	char *target = o->address ? xasprintf("127.0.0.1:%d", listen_port(s))
				  : xasprintf("unix:%s/s", dir);
	struct channel *ch = channel_new(l, &(struct channel_options){ .target = target }, &err);

	printf("%s\n", o->address ? "tcp" : "unix");
	measure("unary, blocking", ch, unary_blocking, UNARY, "rpc/s");
	measure("unary, 1", ch, unary_1, UNARY, "rpc/s");
	measure("unary, 32", ch, unary_32, UNARY, "rpc/s");
	measure("write 1 GiB", ch, write_stream, 1024, "MiB/s");
	measure("read 1 GiB", ch, read_stream, 1024, "MiB/s");
	channel_free(ch);
	free(target);
	listen_free(s, 0);
}

int main(void)
{
	struct rx_err err = { 0 };
	char *dir;

	if (!file_temp_dir("/tmp", "bench-", &dir, &err))
		return 1;
	char *path = path_join(dir, "s");
	struct loop *l = loop_new();
	struct pool *p = pool_new(2, 64);

	memset(chunk, 'c', sizeof(chunk));
	run(l, p, &(struct listen_options){ .unix_path = path }, dir);
	run(l, p, &(struct listen_options){ .address = "127.0.0.1:0" }, dir);
	loop_free(l);
	pool_free(p);
	if (!file_remove_tree(AT_FDCWD, dir, &err))
		return 1;
	free(path);
	free(dir);
	return 0;
}
