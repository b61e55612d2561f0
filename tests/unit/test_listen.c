/* test_listen: the server side, with our own client on the other end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "rpc_fixture.h"

#define T(name) ("/t.T/" name)

static struct rpc_body body(const char *s)
{
	return rpc_body_copy(rx_view_str(s));
}

static void echo_works(struct channel *c)
{
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	cr_assert(call_unary(c, T("Echo"), body("hi"), NULL, &a, &reply, NULL, &err), "%s",
		  rx_err_text(&err));
	cr_assert(rx_view_eq_str(reply, "hi"));
	arena_release(&a);
}

Test(listen, unix_socket_is_private_and_removed_at_the_end)
{
	struct fixture f;
	struct stat st;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	char want[200];

	fixture_open(&f, NULL);
	cr_assert_eq(stat(f.socket, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(listen_port(f.listener), 0);
	cr_assert(call_unary(f.channel, T("Peer"), body(""), NULL, &a, &reply, NULL, &err));
	snprintf(want, sizeof(want), "unix:%s authenticated", f.socket);
	cr_assert(rx_view_eq_str(reply, want));
	channel_free(f.channel);
	listen_free(f.listener, 0);
	cr_assert_neq(stat(f.socket, &st), 0);
	f.channel = NULL;
	f.listener = NULL;
	fixture_close(&f);
	arena_release(&a);
}

Test(listen, tcp_takes_any_port)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, &(struct listen_options){ .address = "127.0.0.1:0" });
	cr_assert_gt(listen_port(f.listener), 0);
	echo_works(f.channel);
	cr_assert(call_unary(f.channel, T("Peer"), body(""), NULL, &a, &reply, NULL, &err));
	cr_assert(rx_view_starts(reply, "ipv4:127.0.0.1:"));
	cr_assert(memmem(reply.p, reply.n, " unknown", 8) != NULL);
	fixture_close(&f);
	arena_release(&a);
}

Test(listen, occupied_addresses_are_refused)
{
	struct fixture f;
	struct rx_err err = { 0 };
	struct stat before, after;

	fixture_open(&f, NULL);
	/* A live socket is left alone: gRPC by itself would remove it. */
	cr_assert_eq(stat(f.socket, &before), 0);
	struct listen_options o = { .unix_path = f.socket };

	cr_assert_null(listen_new(f.loop, f.pool, &o, NULL, 0, NULL, &err));
	cr_assert_not_null(strstr(rx_err_text(&err), f.socket));
	rx_err_reset(&err);
	cr_assert_eq(stat(f.socket, &after), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
	echo_works(f.channel);

	struct listener *tcp =
		listen_new(f.loop, f.pool, &(struct listen_options){ .address = "127.0.0.1:0" },
			   NULL, 0, NULL, &err);
	char *same = xasprintf("127.0.0.1:%d", listen_port(tcp));

	cr_assert_null(listen_new(f.loop, f.pool, &(struct listen_options){ .address = same }, NULL,
				  0, NULL, &err));
	cr_assert_not_null(strstr(rx_err_text(&err), same));
	rx_err_reset(&err);
	listen_free(tcp, 0);

	char *longer = xasprintf("/tmp/%0120d", 1);

	cr_assert_null(listen_new(f.loop, f.pool, &(struct listen_options){ .unix_path = longer },
				  NULL, 0, NULL, &err));
	cr_assert_eq(err.code, RX_EUSAGE);
	rx_err_release(&err);
	free(same);
	free(longer);
	fixture_close(&f);
}

static void connect_as_nobody(const char *path, int report)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char c;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(at.sun_path, path, strlen(path) + 1);
	if (setuid(65534) != 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		c = 'c';
	} else {
		/* A server that takes us sends its settings at once. */
		c = read(fd, &c, 1) == 1 ? 'y' : 'n';
	}
	_exit(write(report, &c, 1) == 1 ? 0 : 1);
}

Test(listen, other_users_are_refused_even_when_the_file_lets_them)
{
	struct fixture f;
	int gate[2], report[2];
	char c;

	if (geteuid() != 0) /* needs a second user */
		cr_skip_test("not root");
	/* The child exists before gRPC does. */
	cr_assert_eq(pipe(gate), 0);
	cr_assert_eq(pipe(report), 0);
	pid_t child = fork();

	if (child == 0) {
		char path[200];
		ssize_t n = read(gate[0], path, sizeof(path) - 1);

		path[n > 0 ? n : 0] = 0;
		connect_as_nobody(path, report[1]);
	}
	fixture_open(&f, NULL);
	cr_assert_eq(chmod(f.socket, 0666), 0);
	cr_assert_eq(chmod(f.dir, 0755), 0);
	cr_assert_eq(write(gate[1], f.socket, strlen(f.socket)), (ssize_t)strlen(f.socket));
	cr_assert_eq(read(report[0], &c, 1), 1);
	cr_assert_eq(c, 'n');
	echo_works(f.channel);
	fixture_close(&f);
}

Test(listen, unknown_methods_are_unimplemented)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	cr_assert(!call_unary(f.channel, "/other.Service/Do", body("x"), NULL, &a, &reply, NULL,
			      &err));
	cr_assert_eq(err.grpc_status, RPC_UNIMPLEMENTED);
	rx_err_release(&err);
	echo_works(f.channel);
	fixture_close(&f);
	arena_release(&a);
}

Test(listen, a_unary_call_without_a_message_is_answered)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	struct call_writer *w = call_write(f.channel, T("Echo"), NULL);

	cr_assert(!call_write_end(w, &a, &reply, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_UNIMPLEMENTED);
	rx_err_release(&err);
	call_write_free(w);
	fixture_close(&f);
	arena_release(&a);
}

struct answers {
	atomic_int done, exhausted;
};

static void note_answer(void *ctx, const struct call_reply *r)
{
	struct answers *n = ctx;

	if (r->status.code == RPC_RESOURCE_EXHAUSTED &&
	    strcmp(r->status.message, "too many calls") == 0)
		n->exhausted++;
	n->done++;
}

Test(listen, more_than_max_calls_are_resource_exhausted)
{
	struct fixture f;
	struct answers n = { 0 };

	fixture_open(&f, &(struct listen_options){ .max_calls = 5 });
	for (int i = 0; i < 5; i++)
		call_unary_start(f.channel, T("Never"), body("x"), NULL, note_answer, &n);
	cr_assert(fixture_wait(&f.messages, 5));
	for (int i = 0; i < 3; i++)
		call_unary_start(f.channel, T("Never"), body("x"), NULL, note_answer, &n);
	cr_assert(fixture_wait(&n.done, 3));
	cr_assert_eq(n.exhausted, 3);
	loop_cancel_all(f.loop);
	cr_assert(fixture_wait(&n.done, 8));
	cr_assert(fixture_wait(&f.closed, 5));
	/* `closed` has run; a moment later the place is free */
	clock_sleep_ms(50);
	echo_works(f.channel);
	fixture_close(&f);
}

Test(listen, too_large_a_message_is_resource_exhausted)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	atomic_int released = 0;

	fixture_open(&f, &(struct listen_options){ .max_receive = 10000 });
	cr_assert(call_unary(f.channel, T("Echo"), fixture_body(10000, &released), NULL, &a, &reply,
			     NULL, &err));
	cr_assert(!call_unary(f.channel, T("Echo"), fixture_body(10001, &released), NULL, &a,
			      &reply, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_RESOURCE_EXHAUSTED);
	rx_err_release(&err);
	cr_assert(fixture_wait(&f.closed, 2));
	fixture_close(&f);
	cr_assert_eq(released, 2);
	arena_release(&a);
}

Test(listen, client_that_disappears_closes_its_calls_once)
{
	struct fixture f;
	atomic_int released = 0;

	fixture_open(&f, NULL);
	char *target = xasprintf("unix:%s", f.socket);
	struct channel *c = fixture_channel(&f, &(struct channel_options){ .target = target });
	struct call_writer *w = call_write(c, T("Sum"), NULL);
	struct call_reader *r = call_read(c, T("Once"), body("x"), NULL);
	struct call_reader *r2 = call_read(c, T("Never"), body("x"), NULL);

	cr_assert(call_write_send(w, fixture_body(100, &released)));
	cr_assert(fixture_wait(&f.started, 3));
	call_write_free(w);
	call_read_free(r);
	call_read_free(r2);
	channel_free(c);
	cr_assert(fixture_wait(&f.closed, 3));
	clock_sleep_ms(50);
	cr_assert_eq(f.closed, 3);
	free(target);
	fixture_close(&f);
	cr_assert_eq(f.closed, 3);
}

Test(listen, a_slow_client_does_not_fill_memory)
{
	struct fixture f;
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view m;
	int n = 0;

	fixture_open(&f, NULL);
	struct call_reader *r = call_read(f.channel, T("Count"), body("200 1000000"), NULL);

	cr_assert_eq(call_read_next(r, &m, &a, NULL, &err), CALL_MESSAGE);
	clock_sleep_ms(300);
	cr_assert_lt(f.messages, 60); /* windows and socket buffers, not 200 MB */
	for (n = 1; call_read_next(r, &m, &a, NULL, &err) == CALL_MESSAGE; n++)
		;
	cr_assert_eq(n, 200);
	call_read_free(r);
	fixture_close(&f);
	arena_release(&a);
}

struct upload {
	struct fixture *f;
	atomic_int sent, released;
	bool ok;
	struct rx_view reply;
	struct arena a;
};

static void *upload(void *arg)
{
	struct upload *u = arg;
	struct rx_err err = { 0 };
	struct call_writer *w = call_write(u->f->channel, T("Slow"), NULL);

	for (int i = 0; i < 100; i++) {
		if (!call_write_send(w, fixture_body(1000000, &u->released)))
			break;
		u->sent++;
	}
	u->ok = call_write_end(w, &u->a, &u->reply, NULL, &err);
	rx_err_release(&err);
	call_write_free(w);
	return NULL;
}

Test(listen, a_held_call_pushes_back_and_goes_on_when_resumed)
{
	struct fixture f;
	struct upload u = { .f = &f };
	pthread_t t;

	fixture_open(&f, NULL);
	pthread_create(&t, NULL, upload, &u);
	cr_assert(fixture_wait(&f.messages, 1));
	clock_sleep_ms(300);
	cr_assert_eq(f.messages, 1);
	cr_assert_lt(u.sent, 60);
	for (int i = 2; i <= 100; i++) {
		fixture_let_go(&f);
		cr_assert(fixture_wait(&f.messages, i));
	}
	fixture_let_go(&f);
	pthread_join(t, NULL);
	cr_assert(u.ok);
	cr_assert(rx_view_eq_str(u.reply, "100000000"));
	cr_assert_eq(u.released, 100);
	arena_release(&u.a);
	fixture_close(&f);
}

Test(listen, a_call_outlives_its_close_for_who_holds_it)
{
	struct fixture f;
	atomic_int released = 0;

	fixture_open(&f, NULL);
	struct call_writer *w = call_write(f.channel, T("Slow"), NULL);

	cr_assert(call_write_send(w, fixture_body(10, &released)));
	cr_assert(fixture_wait(&f.messages, 1));
	call_write_free(w);
	cr_assert(fixture_wait(&f.closed, 1));
	/* all of it does nothing now, and nothing leaks */
	listen_send(f.slow, fixture_body(10, &released));
	listen_reply(f.slow, fixture_body(10, &released));
	listen_finish(f.slow, 3, "late", RX_VIEW("late"));
	listen_hold(f.slow);
	listen_resume(f.slow);
	cr_assert(listen_cancelled(f.slow));
	cr_assert_eq(listen_queued(f.slow), 0);
	cr_assert(rx_view_eq_str(rx_view_str(listen_method_of(f.slow)->path), T("Slow")));
	cr_assert_eq(released, 3);
	fixture_close(&f);
}

Test(listen, live_calls_get_their_grace)
{
	struct fixture f;
	struct answers n = { 0 };

	fixture_open(&f, NULL);
	call_unary_start(f.channel, T("Never"), body("x"), NULL, note_answer, &n);
	cr_assert(fixture_wait(&f.messages, 1));
	int64_t start = clock_mono_ns();

	listen_free(f.listener, 200);
	f.listener = NULL;
	cr_assert_geq(clock_mono_ns() - start, 190 * 1000000);
	cr_assert_lt(clock_mono_ns() - start, 5000000000);
	cr_assert_eq(f.closed, 1);
	cr_assert(fixture_wait(&n.done, 1));
	fixture_close(&f);
}

Test(listen, idle_clients_do_not_delay_the_end)
{
	struct fixture f;

	fixture_open(&f, NULL);
	echo_works(f.channel);
	int64_t start = clock_mono_ns();

	listen_free(f.listener, 10000);
	f.listener = NULL;
	cr_assert_lt(clock_mono_ns() - start, 2000000000);
	fixture_close(&f);
}

Test(listen, a_client_meets_the_next_server_on_the_same_socket)
{
	struct fixture f;
	struct rx_err err = { 0 };
	static const struct listen_method none[1];
	struct arena a = { 0 };
	struct rx_view reply;

	fixture_open(&f, NULL);
	echo_works(f.channel);
	listen_free(f.listener, 0);
	f.listener = listen_new(f.loop, f.pool, &(struct listen_options){ .unix_path = f.socket },
				none, 0, NULL, &err);
	cr_assert_not_null(f.listener);
	struct call_options o = { .wait_for_ready = true, .timeout_ms = 5000 };

	cr_assert(!call_unary(f.channel, T("Echo"), body("x"), &o, &a, &reply, NULL, &err));
	cr_assert_eq(err.grpc_status, RPC_UNIMPLEMENTED, "%s", rx_err_text(&err));
	rx_err_release(&err);
	fixture_close(&f);
	arena_release(&a);
}

/* Bytes that are no HTTP/2 at all, and connections that say nothing. */
Test(listen, garbage_on_the_socket_harms_nobody)
{
	struct fixture f;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd[20];

	fixture_open(&f, NULL);
	memcpy(at.sun_path, f.socket, strlen(f.socket) + 1);
	for (int i = 0; i < 20; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		cr_assert_eq(connect(fd[i], (struct sockaddr *)&at, sizeof(at)), 0);
		if (i % 2)
			cr_assert_eq(write(fd[i], "GET / HTTP/1.1\r\n\r\n", 18), 18);
		if (i % 3 == 0)
			close(fd[i]);
	}
	echo_works(f.channel);
	fixture_close(&f);
	for (int i = 0; i < 20; i++) {
		if (i % 3)
			close(fd[i]);
	}
}

Test(listen, descriptors_that_run_out_come_back)
{
	struct fixture f;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct rlimit old, few;
	int fd[64], n = 0;

	fixture_open(&f, NULL);
	echo_works(f.channel);
	memcpy(at.sun_path, f.socket, strlen(f.socket) + 1);
	for (n = 0; n < 8; n++)
		fd[n] = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = fd[7] + 1;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(connect(fd[i], (struct sockaddr *)&at, sizeof(at)), 0);
	clock_sleep_ms(250);
	echo_works(f.channel);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	char *target = xasprintf("unix:%s", f.socket);
	struct channel *c = fixture_channel(&f, &(struct channel_options){ .target = target });

	echo_works(c);
	channel_free(c);
	free(target);
	fixture_close(&f);
}

/* gRPC takes the EAGAIN of a full queue for a connection and fails with its first message. */
Test(listen, a_crowd_waits_for_its_turn)
{
	enum { CROWD = 500 };
	static int fd[CROWD];
	struct fixture f;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct rlimit old, few;
	struct rx_buf most = { 0 };
	struct rx_err err = { 0 };

	if (!file_read(AT_FDCWD, "/proc/sys/net/core/somaxconn", 64, &most, &err) ||
	    strtol(rx_buf_str(&most), NULL, 10) < CROWD)
		cr_skip("this system allows no queue of %d", CROWD);
	rx_buf_release(&most);
	fixture_open(&f, NULL);
	memcpy(at.sun_path, f.socket, strlen(f.socket) + 1);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (int i = 0; i < CROWD; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		cr_assert_geq(fd[i], 0);
	}
	few = old;
	few.rlim_cur = (rlim_t)fd[CROWD - 1] + 1; /* nobody is let in meanwhile */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < CROWD; i++)
		cr_expect_eq(connect(fd[i], (struct sockaddr *)&at, sizeof(at)), 0, "%d: %s", i,
			     strerror(errno));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (int i = 0; i < CROWD; i++)
		close(fd[i]);
	fixture_close(&f);
}

static atomic_int connections;
static void count_connection(void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&connections, 1);
}

Test(listen, a_hidden_socket_keeps_who_is_in)
{
	struct fixture f;
	struct stat st;

	fixture_open(&f, &(struct listen_options){ .connected = count_connection });
	char *target = xasprintf("unix:%s", f.socket);

	echo_works(f.channel);
	cr_expect_eq(atomic_load(&connections), 1);
	listen_hide(f.listener, true);
	listen_hide(f.listener, true);
	cr_expect_neq(stat(f.socket, &st), 0);
	echo_works(f.channel);
	listen_hide(f.listener, false);
	struct channel *c = fixture_channel(&f, &(struct channel_options){ .target = target });

	echo_works(c);
	cr_expect_eq(atomic_load(&connections), 2);
	channel_free(c);
	listen_hide(f.listener, true);
	channel_free(f.channel);
	listen_free(f.listener, 0);
	f.channel = NULL;
	f.listener = NULL;
	cr_expect_eq(rmdir(f.dir), 0, "nothing is left of a hidden one");
	cr_assert_eq(mkdir(f.dir, 0700), 0);
	fixture_close(&f);
	free(target);
}
