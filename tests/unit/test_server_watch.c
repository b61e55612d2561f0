/* test_server_watch: what the server does unasked: sweeping, forgetting, leaving. */
#include "server_fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "service.h"

TestSuite(server_watch, .init = fx_setup, .fini = fx_teardown, .timeout = 60);

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void wait_gone(const char *path)
{
	for (int i = 0; i < 400 && exists(path); i++)
		clock_sleep_ms(20);
	cr_expect(!exists(path), "%s is still there", path);
}

/* An action of a killed server that has not ended yet. */
static pid_t busy_in(const char *dir)
{
	pid_t child = fork();

	for (unsigned i = 0; child == 0; i++) {
		char path[512];

		(void)snprintf(path, sizeof(path), "%s/f%u", dir, i % 10000);
		(void)close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	return child;
}

Test(server_watch, starts_although_actions_of_a_killed_one_are_still_dying)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	char *left = path_join(fx_dir, ".remex-actions-abcdef"),
	     *mine = path_join(fx_dir, ".remex-actions-mine");
	char *root = path_join(left, "action-123456/root");
	pid_t action;

	cr_assert(file_mkdirs(AT_FDCWD, root, 0700, false, &err));
	cr_assert_eq(mkdir(mine, 0700), 0);
	action = busy_in(root);
	clock_sleep_ms(50);
	fx_start((struct server_options){ .execution = true });
	(void)fx_put(hello);
	clock_sleep_ms(200);
	cr_assert_eq(kill(action, SIGKILL), 0);
	(void)waitpid(action, NULL, 0);
	wait_gone(left);
	cr_expect(exists(mine), "only what has our kind of name");
	free(left);
	free(mine);
	free(root);
}

static size_t entries(const char *name)
{
	char *path = path_join(fx_dir, name);
	DIR *d = opendir(path);
	size_t n = 0;

	cr_assert(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	free(path);
	return n;
}

Test(server_watch, rule_94_broken_uploads_are_forgotten_in_the_end)
{
	struct rx_view v = fx_bytes(11, 300000);
	struct digest d = fx_digest(v);
	struct call_writer *w;
	int64_t at_end;

	fx_start((struct server_options){ .upload_keep_ms = 700 });
	w = fx_write();
	cr_expect(fx_send(w, fx_resource("", "u1", &d), 0, (struct rx_view){ v.p, 200000 }, false));
	cr_expect(fx_write_end(w, &at_end) == RPC_INVALID_ARGUMENT);
	clock_sleep_ms(200);
	cr_expect_eq(entries("tmp"), 1, "its client may come back");
	for (int i = 0; i < 250 && entries("tmp"); i++)
		clock_sleep_ms(20);
	cr_expect_eq(entries("tmp"), 0);
}

static volatile bool was_idle;
static void note_idle(void *ctx)
{
	(void)ctx;
	was_idle = true;
}

/* What service_ensure does before a client starts: the server has to wait for its calls. */
Test(server_watch, whoever_connects_keeps_it_awake)
{
	int64_t start = clock_mono_ns();

	fx_start((struct server_options){ .idle_ms = 400, .on_idle = note_idle });
	while (clock_mono_ns() - start < 1500000000) {
		cr_assert(service_alive(fx_socket));
		cr_assert(!was_idle);
		clock_sleep_ms(30);
	}
	for (int i = 0; i < 200 && !was_idle; i++)
		clock_sleep_ms(20);
	cr_assert(was_idle);
	cr_expect(!service_alive(fx_socket), "nobody gets in any more");
}

/* However close: a connection that was made is served for at least the idle time. */
Test(server_watch, no_client_falls_into_the_gap)
{
	unsigned met = 0;

	for (int round = 0; round < 400 && met < 40; round++) {
		int64_t start = clock_mono_ns(), wait_us = 88000 + round % 60 * 500;
		int64_t connecting;
		bool idle;

		was_idle = false;
		fx_start((struct server_options){ .idle_ms = 100, .on_idle = note_idle });
		while (clock_mono_ns() - start < wait_us * 1000)
			;
		connecting = clock_mono_ns();
		if (service_alive(fx_socket)) {
			clock_sleep_ms(40); /* until the server that decided wrongly has said so */
			idle = was_idle;
			/* Where the machine slept longer than the idle time, idle is right. */
			if (clock_mono_ns() - connecting < 90000000) {
				cr_expect(!idle, "round %d", round);
				met++;
			}
		}
		fx_stop();
	}
	cr_expect_gt(met, 0);
}

#ifndef REMEX_SANITIZED
static int64_t resident_kib(void)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	struct rx_err err = { 0 };
	long long pages = 0;

	cr_assert(file_read(AT_FDCWD, "/proc/self/statm", 4096, &b, &err));
	cr_assert_eq(sscanf(rx_buf_str(&b), "%*d %lld", &pages), 1);
	return pages * (getpagesize() / 1024);
}

Test(server_watch, memory_goes_back_when_it_is_quiet)
{
	enum { N = 3000, SIZE = 40000 };
	static void *large[N], *small[N];
	int64_t before, high;

	fx_start((struct server_options){ 0 });
	(void)fx_put(hello);
	before = resident_kib();
	for (int i = 0; i < N; i++) {
		large[i] = memset(xmalloc(SIZE), 1, SIZE);
		small[i] = xmalloc(100); /* so that the end of the heap stays where it is */
	}
	for (int i = 0; i < N; i++)
		free(large[i]);
	high = resident_kib();
	cr_assert_gt(high, before + N * SIZE / 2048);
	(void)fx_put(hello);
	for (int i = 0; i < 300 && resident_kib() > before + 20000; i++)
		clock_sleep_ms(20);
	cr_expect_lt(resident_kib(), before + 20000, "%lld KiB before, %lld at work",
		     (long long)before, (long long)high);
	for (int i = 0; i < N; i++)
		free(small[i]);
}
#endif
