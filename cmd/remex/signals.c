/* signals: turns SIGINT and SIGTERM into cancelled calls. */
#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/* timeout(1) signals us and then our process group: that is one wish, not two. */
#define SAME_SIGNAL_NS 500000000

/* A signal belongs to the process: hence these, and nothing else, outside of main. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct loop *watched_loop;
static struct runner *watched_runner;
static atomic_int received;

int signals_received(void)
{
	return atomic_load(&received);
}

static void *wait_for_signals(void *arg RX_UNUSED)
{
	sigset_t set;
	int64_t first_ns = 0;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		if (signals_received()) {
			if (clock_mono_ns() - first_ns >= SAME_SIGNAL_NS)
				_exit(128 + SIGINT);
			continue;
		}
		first_ns = clock_mono_ns();
		atomic_store(&received, sig);
		rx_cancel_set();
		pthread_mutex_lock(&lock);
		if (watched_runner)
			runner_wake(watched_runner);
		if (watched_loop)
			loop_cancel_all(watched_loop);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

void signals_start(struct runner *runner)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	watched_runner = runner;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, wait_for_signals, NULL) != 0)
		abort();
	pthread_attr_destroy(&attr);
}

void signals_watch(struct loop *loop)
{
	pthread_mutex_lock(&lock);
	watched_loop = loop;
	if (!loop)
		watched_runner = NULL;
	pthread_mutex_unlock(&lock);
}
