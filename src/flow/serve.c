/* serve: runs the embedded server in this process until it is told to stop or has been idle long
 * enough. */
#include "serve.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedded.h"
#include "file.h"
#include "log.h"
#include "server.h"

#define SERVE_GRACE_MS  5000
#define SERVE_LOG_BYTES (8 << 20)
#define UNIX_PREFIX     "unix://"

struct serve {
	const struct serve_options *o;
	struct service_paths paths;
	int lock;
	pthread_t main_thread;
	volatile bool idle;
};

/* Runs on the loop thread: the waiting thread does the rest. */
static void on_idle(void *ctx)
{
	struct serve *s = ctx;

	s->idle = true;
	pthread_kill(s->main_thread, SIGTERM);
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strncmp(address, "localhost:", 10) == 0 ||
	       strncmp(address, "[::1]:", 6) == 0;
}

/* The place of a socket the user named: its lock stands beside it. */
static bool named_socket(struct service_paths *p, const char *path, struct rx_err *err)
{
	if (path[0] != '/')
		return rx_fail(err, RX_EUSAGE, "--listen unix://%s: the path must be absolute",
			       path);
	p->socket = xstrdup(path);
	p->lock = xasprintf("%s.lock", path);
	p->version = xasprintf("%s.version", path);
	p->log = xasprintf("%s.log", path);
	p->dir = xstrdup(path);
	*strrchr(p->dir, '/') = '\0';
	return true;
}

static bool choose_place(struct serve *s, struct listen_options *l, bool *execution,
			 const char **note, struct rx_err *err)
{
	const struct serve_options *o = s->o;

	*execution = true;
	*note = NULL;
	l->tls_cert = o->tls_cert;
	l->tls_key = o->tls_key;
	l->tls_client_ca = o->tls_client_ca;
	if ((o->tls_cert == NULL) != (o->tls_key == NULL))
		return rx_fail(err, RX_EUSAGE,
			       "--listen-tls-cert and --listen-tls-key go together");
	if (o->tls_client_ca && !o->tls_cert)
		return rx_fail(err, RX_EUSAGE, "--listen-tls-client-ca needs --listen-tls-cert");
	if (!o->listen || strncmp(o->listen, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		if (o->tls_cert)
			return rx_fail(err, RX_EUSAGE, "TLS is for --listen HOST:PORT");
		if (o->listen) {
			if (!named_socket(&s->paths, o->listen + strlen(UNIX_PREFIX), err))
				return false;
		} else if (!embedded_paths(&s->paths, err)) {
			return false;
		}
		l->unix_path = s->paths.socket;
		return true;
	}
	if (!strrchr(o->listen, ':') || strstr(o->listen, "://"))
		return rx_fail(err, RX_EUSAGE, "--listen '%s': expected unix:///path or HOST:PORT",
			       o->listen);
	l->address = o->listen;
	/* Running commands for whoever reaches a port is not a default. */
	if (!o->tls_client_ca && !o->insecure) {
		*execution = false;
		*note = "execution is off: on TCP it needs --listen-tls-client-ca (or --insecure)";
	} else if (o->insecure && !is_loopback(o->listen)) {
		*note = "--insecure: whoever reaches this port runs commands here";
	}
	return true;
}

static char *server_url(const struct serve *s, const struct listen_options *l, int port)
{
	const char *colon;

	if (l->unix_path)
		return xasprintf(UNIX_PREFIX "%s", l->unix_path);
	colon = strrchr(s->o->listen, ':');
	return xasprintf("%s://%.*s:%d", l->tls_cert ? "grpcs" : "grpc",
			 (int)(colon - s->o->listen), s->o->listen, port);
}

/* Waits for SIGINT or SIGTERM, which all threads have blocked. */
static void wait_for_end(const sigset_t *signals)
{
	int sig;

	while (!rx_cancelled() && sigwait(signals, &sig) != 0)
		;
}

static bool run(struct serve *s, struct listen_options *l, bool execution, const char *note,
		struct rx_err *err)
{
	const struct serve_options *o = s->o;
	RX_CLEANUP(xfreep) char *dir = NULL;
	RX_CLEANUP(xfreep) char *url = NULL;
	RX_CLEANUP(xfreep) char *unconfined = NULL;
	struct runner *runner = NULL;
	struct loop *loop = NULL;
	struct pool *pool = NULL;
	struct server *server = NULL;
	sigset_t signals;
	bool ok = false;

	if (o->dir)
		dir = xstrdup(o->dir);
	else if (!embedded_dir(&dir, err))
		return false;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	/* The spawner comes first: nothing may fork once gRPC's threads are there. */
	if (execution) {
		runner = runner_new(o->sandbox, err);
		if (!runner)
			return false;
	}
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	s->main_thread = pthread_self();
	loop = loop_new();
	pool = pool_new(0, 1024);
	{
		struct server_options so = {
			.listen = *l,
			.execution = execution,
			.dir = dir,
			.max_size = o->max_size,
			.max_actions = o->max_actions,
			.read_only = o->read_only,
			.runner = runner,
			.loop = loop,
			.pool = pool,
			.idle_ms = o->idle_ms,
			.on_idle = on_idle,
			.ctx = s,
		};

		server = server_new(&so, err);
	}
	if (server) {
		url = server_url(s, l, server_port(server));
		if (!note && runner && runner_sandbox_kind(runner) == RUNNER_NONE)
			note = unconfined = xasprintf("actions run without a sandbox: %s",
						      runner_sandbox_why_not(runner));
		service_ready(note);
		if (o->ready)
			o->ready(o->ctx, url, execution, note);
		wait_for_end(&signals);
		server_free(server, SERVE_GRACE_MS);
		ok = true;
	}
	pool_free(pool);
	loop_free(loop);
	runner_free(runner);
	return ok;
}

/* Every connection, download and action takes some, and a shell's soft limit is for select(2). */
static void allow_many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

bool serve_run(const struct serve_options *o, struct rx_err *err)
{
	struct serve s = { .o = o, .lock = -1 };
	struct listen_options l = { 0 };
	const char *note;
	bool execution, ok;

	allow_many_files();
	if (o->on_demand)
		log_set_max(SERVE_LOG_BYTES); /* nobody looks after it */
	ok = choose_place(&s, &l, &execution, &note, err);
	if (ok && l.unix_path)
		ok = service_claim(&s.paths, embedded_build_id(), &s.lock, err);
	ok = ok && run(&s, &l, execution, note, err);
	if (ok && l.unix_path)
		unlink(l.unix_path); /* ours: the lock is still held */
	file_close(&s.lock);
	service_paths_release(&s.paths);
	return ok;
}
