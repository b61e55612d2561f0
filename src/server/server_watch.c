/* server_watch: the server's own thread: removes what a killed server left, drops uploads nobody
 * goes on with, gives memory back after work, and tells the owner when nobody has needed the server
 * for long enough.
 *
 * It is a thread of its own, as the owner's on_idle may do anything but free the server. */
#include "server_parts.h"

#include <errno.h>
#include <malloc.h>

#include "clock.h"
#include "scratch.h"

#define TRIM_AFTER_NS  2000000000
#define SWEEP_TRIES    50
#define SWEEP_AGAIN_MS 100
/* Who connected just before the socket was hidden has been let in by then. */
#define HIDDEN_MS 20

void server_watch_init(struct server *s)
{
	pthread_condattr_t monotonic;

	s->quiet_since_ns = s->trimmed_ns = clock_mono_ns();
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void server_touched(struct server *s)
{
	s->quiet_since_ns = clock_mono_ns();
	if (s->sleeping && !s->live)
		pthread_cond_signal(&s->wake);
}

/* Actions of a server that was killed may still be about to end: their directories do not go at
 * once. */
static void sweep(struct server *s)
{
	for (int i = 0; i < SWEEP_TRIES && !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); i++) {
		if (scratch_sweep(s->o.dir, SERVER_SCRATCH, &s->stop))
			return;
		clock_sleep_ms(SWEEP_AGAIN_MS);
	}
}

/* All with the lock held, which some give up in between. */

static bool is_busy(struct server *s)
{
	return s->live || (s->operations && operations_running(s->operations));
}

static void give_memory_back(struct server *s)
{
	s->trimmed_ns = s->quiet_since_ns;
	pthread_mutex_unlock(&s->lock);
	malloc_trim(0);
	pthread_mutex_lock(&s->lock);
}

/* False when somebody came at the last moment. Nobody can connect any more when it is true. */
static bool shut_the_door(struct server *s)
{
	int64_t before = s->quiet_since_ns;

	pthread_mutex_unlock(&s->lock);
	listen_hide(s->listener, true);
	clock_sleep_ms(HIDDEN_MS);
	pthread_mutex_lock(&s->lock);
	if (!is_busy(s) && before == s->quiet_since_ns)
		return true;
	pthread_mutex_unlock(&s->lock);
	listen_hide(s->listener, false);
	pthread_mutex_lock(&s->lock);
	return false;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* Does what is due; tells when to look again, 0 = when woken. */
static int64_t look(struct server *s)
{
	int64_t idle_ns = s->o.idle_ms * 1000000, now = clock_mono_ns(), next;

	pthread_mutex_unlock(&s->lock);
	next = uploads_tidy(s);
	pthread_mutex_lock(&s->lock);
	if (is_busy(s))
		return next;
	if (s->trimmed_ns != s->quiet_since_ns) {
		if (now - s->quiet_since_ns >= TRIM_AFTER_NS)
			give_memory_back(s);
		else
			next = sooner(next, s->quiet_since_ns + TRIM_AFTER_NS);
	}
	if (!idle_ns)
		return next;
	if (now - s->quiet_since_ns >= idle_ns && shut_the_door(s))
		s->told = true;
	return sooner(next, s->quiet_since_ns + idle_ns);
}

static void *watch(void *arg)
{
	struct server *s = arg;

	sweep(s);
	pthread_mutex_lock(&s->lock);
	while (!s->stop && !s->told) {
		int64_t next = look(s);
		struct timespec until = { next / 1000000000, next % 1000000000 };

		if (s->stop || s->told)
			break;
		/* Work that ends wakes it only when it sleeps, and then it is quiet or busy for a
		 * while: no call pays for this. */
		s->sleeping = is_busy(s) || !next || s->trimmed_ns == s->quiet_since_ns;
		if (next)
			pthread_cond_timedwait(&s->wake, &s->lock, &until);
		else
			pthread_cond_wait(&s->wake, &s->lock);
		s->sleeping = false;
	}
	bool tell = s->told && !s->stop;

	pthread_mutex_unlock(&s->lock);
	if (tell)
		s->o.on_idle(s->o.ctx);
	return NULL;
}

bool server_watch_start(struct server *s, struct rx_err *err)
{
	errno = pthread_create(&s->watcher, NULL, watch, s);
	if (errno)
		return rx_fail_errno(err, "starting a thread");
	s->has_watcher = true;
	return true;
}

void server_watch_stop(struct server *s)
{
	if (!s->has_watcher)
		return;
	pthread_mutex_lock(&s->lock);
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->watcher, NULL);
}
