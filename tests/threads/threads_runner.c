/* threads_runner: many threads run jobs through one runner; each gets its own answer. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "runner.h"

enum { THREADS = 8, JOBS = 20 };

struct worker {
	struct runner *runner;
	const char *root;
	int number;
	int wrong;
	volatile bool cancel;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < JOBS; i++) {
		RX_CLEANUP(file_close)
		int out = open(w->root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		char text[32], got[32] = { 0 }, want[32];
		const char *argv[] = { "/bin/sh", "-c", "echo $0; exit $1", text, "0", NULL };
		char code[8];
		struct runner_job job = {
			.argv = argv, .root = w->root, .cwd = "", .stdout_fd = out, .stderr_fd = out
		};
		struct runner_result result;
		struct rx_err err = { 0 };
		bool cancelled = i % 5 == 4;

		(void)snprintf(text, sizeof(text), "%d-%d", w->number, i);
		(void)snprintf(want, sizeof(want), "%d-%d\n", w->number, i);
		(void)snprintf(code, sizeof(code), "%d", w->number * 10 + i % 10);
		argv[4] = code;
		__atomic_store_n(&w->cancel, cancelled, __ATOMIC_RELEASE);
		runner_wake(w->runner);
		if (!runner_run(w->runner, &job, &w->cancel, &result, &err)) {
			(void)fprintf(stderr, "%s\n", rx_err_text(&err));
			rx_err_release(&err);
			w->wrong++;
			continue;
		}
		if (cancelled) {
			w->wrong += result.how != RUNNER_CANCELLED;
			continue;
		}
		(void)pread(out, got, sizeof(got) - 1, 0);
		w->wrong += result.how != RUNNER_EXITED || strcmp(got, want) != 0 ||
			    result.exit_code != w->number * 10 + i % 10;
	}
	return NULL;
}

static int run(enum runner_sandbox kind)
{
	struct rx_err err = { 0 };
	struct runner *r = runner_new(kind, &err);
	struct worker w[THREADS];
	pthread_t threads[THREADS];
	char *dir = NULL;
	int wrong = 0;
	uid_t uid;
	gid_t gid;

	if (!r || !file_temp_dir("/tmp", "remex-test-", &dir, &err)) {
		(void)fprintf(stderr, "%s\n", rx_err_text(&err));
		return 1;
	}
	if (runner_owner(r, &uid, &gid) && chown(dir, uid, gid) != 0)
		return 1;
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .runner = r, .root = dir, .number = i };
		if (pthread_create(&threads[i], NULL, work, &w[i]) != 0)
			return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
		wrong += w[i].wrong;
	}
	runner_free(r);
	if (!file_remove_tree(AT_FDCWD, dir, &err))
		wrong++;
	free(dir);
	if (wrong)
		(void)fprintf(stderr, "%d jobs went wrong\n", wrong);
	return wrong != 0;
}

int main(void)
{
	/* A container may forbid the sandbox; where it must work (.ci/run says so) AUTO would hide
	 * that. */
	bool required = getenv("REMEX_TEST_SANDBOX") != NULL;

	return run(required ? RUNNER_NAMESPACE : RUNNER_AUTO) | run(RUNNER_NONE);
}
