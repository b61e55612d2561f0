/* listen: a gRPC server on the loop's queue: binding, arming requests, shutting down in order. */
#include "listen.h"

#include <assert.h>
#include <limits.h>
#include <time.h>

#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>

#include "listen_core.h"
#include "listen_unix.h"
#include "pem.h"

#define ARMED        64         /* calls gRPC may hand over before the loop comes back */
#define MAX_METADATA (64 << 10) /* of a request */
#define MAX_FRAME    (1 << 20)
/* Clients may ping this often; a TCP client that is gone without a word is noticed after these. */
#define PING_INTERVAL_MS     5000
#define KEEPALIVE_MS         60000
#define KEEPALIVE_TIMEOUT_MS 20000

/* One armed request. */
struct arm {
	struct op op;
	struct listener *l;
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array headers;
};

/* The whole listener, with what only opening and closing need. */
struct door {
	struct listener l;
	struct listen_unix *unix_door;
	grpc_server_credentials *plain; /* of unix connections */
	void (*connected)(void *ctx);
};

static void arm(struct arm *a)
{
	grpc_completion_queue *q = loop_queue(a->l->loop);

	grpc_call_details_init(&a->details);
	grpc_metadata_array_init(&a->headers);
	OP_HANDED(&a->op);
	grpc_call_error e = grpc_server_request_call(a->l->server, &a->call, &a->details,
						     &a->headers, q, q, &a->op);

	assert(e == GRPC_CALL_OK);
	(void)e;
}

static void armed(struct op *op, bool ok)
{
	struct arm *a = RX_CONTAINER(op, struct arm, op);
	struct listener *l = a->l;

	if (ok) {
		pthread_mutex_lock(&l->lock);
		bool full = l->live >= l->max_calls;

		l->live++;
		pthread_mutex_unlock(&l->lock);
		listen_call_accept(l, a->call, &a->details, &a->headers, full);
	}
	grpc_call_details_destroy(&a->details);
	grpc_metadata_array_destroy(&a->headers);
	if (ok) { /* after the shutdown has begun it comes straight back, not ok */
		arm(a);
		return;
	}
	free(a);
	pthread_mutex_lock(&l->lock);
	l->armed--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

void listener_left(struct listener *l)
{
	pthread_mutex_lock(&l->lock);
	l->live--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

static void is_down(struct op *op, bool ok)
{
	struct listener *l = RX_CONTAINER(op, struct listener, down);

	(void)ok;
	pthread_mutex_lock(&l->lock);
	l->is_down = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

static void enter(void *ctx, int fd)
{
	struct door *d = ctx;

	if (d->connected)
		d->connected(d->l.ctx);
	grpc_server_add_channel_from_fd(d->l.server, fd, d->plain);
}

static grpc_server_credentials *credentials(const struct listen_options *o, struct rx_err *err)
{
	RX_CLEANUP(pem_freep) char *ca = NULL;
	RX_CLEANUP(pem_freep) char *cert = NULL;
	RX_CLEANUP(pem_freep) char *key = NULL;

	if (!pem_read_pair(o->tls_cert, o->tls_key, &cert, &key, err))
		return NULL;
	if (o->tls_client_ca && !cert) {
		rx_fail(err, RX_EUSAGE,
			"client certificates are demanded, but the server has no certificate of "
			"its own");
		return NULL;
	}
	if (!cert)
		return grpc_insecure_server_credentials_create();
	if (o->tls_client_ca &&
	    !pem_read(o->tls_client_ca, "client CA certificates", PEM_CERTIFICATE, &ca, err))
		return NULL;
	grpc_ssl_pem_key_cert_pair pair = { .private_key = key, .cert_chain = cert };

	return grpc_ssl_server_credentials_create_ex(
		ca, &pair, 1,
		ca ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
		   : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
		NULL);
}

static grpc_server *server_new(struct loop *loop, const struct listen_options *o)
{
	int64_t max = o->max_receive > 0 ? o->max_receive : LISTEN_MAX_RECEIVE;
	const struct {
		const char *key;
		int value;
	} set[] = {
		{ GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)RX_MIN(max, INT_MAX) },
		{ GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1 },
		{ GRPC_ARG_MAX_METADATA_SIZE, MAX_METADATA },
		{ GRPC_ARG_HTTP2_MAX_FRAME_SIZE, MAX_FRAME },
		{ GRPC_ARG_ALLOW_REUSEPORT, 0 }, /* two servers on one port is never wanted */
		/* gRPC's own compression has no limit on what it unpacks. */
		{ GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 },
		{ GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MS },
		{ GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1 },
		{ GRPC_ARG_KEEPALIVE_TIME_MS, o->unix_path ? INT_MAX : KEEPALIVE_MS },
		{ GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS },
	};
	grpc_arg v[RX_COUNT(set)];

	for (size_t i = 0; i < RX_COUNT(set); i++)
		v[i] = (grpc_arg){ .type = GRPC_ARG_INTEGER,
				   .key = (char *)set[i].key,
				   .value.integer = set[i].value };
	grpc_channel_args args = { .num_args = RX_COUNT(v), .args = v };
	grpc_server *s = grpc_server_create(&args, NULL);

	grpc_server_register_completion_queue(s, loop_queue(loop), NULL);
	return s;
}

/* Waits until live calls are gone, at most grace_ms. */
static void wait_idle(struct listener *l, int64_t grace_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += grace_ms / 1000;
	until.tv_nsec += grace_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&l->lock);
	while (l->live && pthread_cond_timedwait(&l->changed, &l->lock, &until) == 0)
		;
	pthread_mutex_unlock(&l->lock);
}

/* Ends a server that may or may not have been started. */
static void take_down(struct door *d, int64_t grace_ms)
{
	struct listener *l = &d->l;

	OP_HANDED(&l->down);
	grpc_server_shutdown_and_notify(l->server, loop_queue(l->loop), &l->down);
	if (grace_ms > 0)
		wait_idle(l, grace_ms);
	grpc_server_cancel_all_calls(l->server); /* closes idle connections too */
	pthread_mutex_lock(&l->lock);
	while (!l->is_down || l->armed || l->live)
		pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
	grpc_server_destroy(l->server);
	if (d->plain)
		grpc_server_credentials_release(d->plain);
	rx_map_release(&l->methods);
	free(l->unix_path);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(d);
}

static bool bind_tcp(struct door *d, const struct listen_options *o, struct rx_err *err)
{
	grpc_server_credentials *creds = credentials(o, err);

	if (!creds)
		return false;
	d->l.port = grpc_server_add_http2_port(d->l.server, o->address, creds);
	grpc_server_credentials_release(creds);
	if (d->l.port > 0)
		return true;
	return rx_fail(err, RX_EIO,
		       "cannot listen on '%s': it is in use, not an address of this machine%s",
		       o->address,
		       o->tls_cert ? ", or the TLS key does not fit its certificate" : "");
}

struct listener *listen_new(struct loop *loop, struct pool *pool, const struct listen_options *o,
			    const struct listen_method *methods, size_t n, void *ctx,
			    struct rx_err *err)
{
	assert(!o->unix_path != !o->address);
	struct door *d = xcalloc(1, sizeof(*d));
	struct listener *l = &d->l;
	pthread_condattr_t attr;

	l->loop = loop;
	l->pool = pool;
	l->ctx = ctx;
	d->connected = o->connected;
	l->max_calls = o->max_calls ? o->max_calls : LISTEN_MAX_CALLS;
	l->down.fn = is_down;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < n; i++)
		rx_map_put(&l->methods, methods[i].path, strlen(methods[i].path),
			   (void *)&methods[i]);
	l->server = server_new(loop, o);
	if (o->unix_path) {
		l->unix_path = xstrdup(o->unix_path);
		d->plain = grpc_insecure_server_credentials_create();
	} else if (!bind_tcp(d, o, err)) {
		take_down(d, 0);
		return NULL;
	}
	grpc_server_start(l->server);
	l->armed = ARMED;
	for (size_t i = 0; i < ARMED; i++) {
		struct arm *a = xcalloc(1, sizeof(*a));

		a->l = l;
		a->op.fn = armed;
		arm(a);
	}
	if (o->unix_path) { /* last: who connects is served at once */
		d->unix_door = listen_unix_open(o->unix_path, enter, d, err);
		if (!d->unix_door) {
			take_down(d, 0);
			return NULL;
		}
	}
	return l;
}

int listen_port(const struct listener *l)
{
	return l->port;
}

void listen_hide(struct listener *l, bool hidden)
{
	struct door *d = RX_CONTAINER(l, struct door, l);

	if (d->unix_door)
		listen_unix_hide(d->unix_door, hidden);
}

void listen_free(struct listener *l, int64_t grace_ms)
{
	if (!l)
		return;
	struct door *d = RX_CONTAINER(l, struct door, l);

	assert(!loop_is_current(l->loop));
	listen_unix_close(d->unix_door);
	take_down(d, grace_ms);
}
