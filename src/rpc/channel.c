/* channel: channel arguments and credentials from our options. */
#include "channel.h"

#include <limits.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "channel_core.h"
#include "pem.h"

/* Trailers carry the list of missing blobs (PreconditionFailure), far more than gRPC's 8 KiB. */
#define MAX_METADATA (4 << 20)
/* What one read may bring: fewer, larger frames for big blobs. */
#define MAX_FRAME          (1 << 20)
#define KEEPALIVE_TIMEOUT  20000
#define RECONNECT_FIRST_MS 100
#define RECONNECT_MAX_MS   5000

struct channel {
	struct loop *loop;
	grpc_channel *channel;
	char *display;
};

struct args {
	grpc_arg v[24];
	size_t n;
};

static void add_int(struct args *a, const char *key, int64_t value)
{
	int v = value > INT_MAX ? INT_MAX : (int)value;

	a->v[a->n++] =
		(grpc_arg){ .type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = v };
}

static void add_str(struct args *a, const char *key, const char *value)
{
	a->v[a->n++] = (grpc_arg){ .type = GRPC_ARG_STRING,
				   .key = (char *)key,
				   .value.string = (char *)value };
}

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* gRPC sends even these through http_proxy. */
static bool is_local(const char *target)
{
	return starts(target, "unix:") || starts(target, "127.") || starts(target, "[::1]") ||
	       strcmp(target, "localhost") == 0 || starts(target, "localhost:");
}

/* gRPC reads "unix:" targets as URIs; a path is not one. The caller frees. */
static char *target_uri(const char *target)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/!$&'()*+,;=:@";
	struct rx_buf b = { 0 };

	if (!starts(target, "unix:"))
		return xstrdup(target);
	rx_buf_add_str(&b, "unix:");
	for (const char *p = target + 5; *p; p++) {
		if (strchr(plain, *p))
			rx_buf_add_char(&b, *p);
		else
			rx_buf_addf(&b, "%%%02X", (unsigned char)*p);
	}
	return rx_buf_take(&b);
}

static grpc_channel_credentials *credentials(const struct channel_options *o, struct rx_err *err)
{
	RX_CLEANUP(pem_freep) char *ca = NULL;
	RX_CLEANUP(pem_freep) char *cert = NULL;
	RX_CLEANUP(pem_freep) char *key = NULL;

	if (!o->tls)
		return grpc_insecure_credentials_create();
	/* A user who moved gRPC's roots by its own variable meant it. */
	if (o->tls_ca || !getenv(GRPC_DEFAULT_SSL_ROOTS_FILE_PATH_ENV_VAR)) {
		const char *path = o->tls_ca ? o->tls_ca : PEM_SYSTEM_ROOTS;

		if (!pem_read(path, "CA certificates", PEM_CERTIFICATE, &ca, err)) {
			if (!o->tls_ca)
				rx_hint(err,
					"install the package ca-certificates, or name a CA file");
			return NULL;
		}
	}
	if (!pem_read_pair(o->tls_cert, o->tls_key, &cert, &key, err))
		return NULL;
	grpc_ssl_pem_key_cert_pair pair = { .private_key = key, .cert_chain = cert };

	return grpc_ssl_credentials_create_ex(ca, cert ? &pair : NULL, NULL, NULL);
}

static void add_args(struct args *a, const struct channel_options *o)
{
	add_int(a, GRPC_ARG_ENABLE_RETRIES, 0); /* ours knows what may be repeated */
	add_int(a, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
	add_int(a, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
		o->max_receive > 0 ? o->max_receive : CHANNEL_MAX_RECEIVE);
	add_int(a, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1);
	add_int(a, GRPC_ARG_MAX_METADATA_SIZE, MAX_METADATA);
	add_int(a, GRPC_ARG_HTTP2_MAX_FRAME_SIZE, MAX_FRAME);
	/* gRPC's own compression has no limit on what it unpacks: never announced, never used. */
	add_int(a, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1);
	add_int(a, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
	/* GRPC_ARG_MIN_RECONNECT_BACKOFF_MS stays: despite its name it is how long one connection
	 * attempt may take (20 s). */
	add_int(a, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_FIRST_MS);
	add_int(a, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MAX_MS);
	if (o->keepalive_ms > 0) {
		add_int(a, GRPC_ARG_KEEPALIVE_TIME_MS, o->keepalive_ms);
		add_int(a, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT);
		add_int(a, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
		add_int(a, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
		add_int(a, GRPC_ARG_HTTP2_MIN_SENT_PING_INTERVAL_WITHOUT_DATA_MS, o->keepalive_ms);
	}
	if (o->user_agent)
		add_str(a, GRPC_ARG_PRIMARY_USER_AGENT_STRING, o->user_agent);
	if (is_local(o->target))
		add_int(a, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
	if (starts(o->target, "unix:"))
		add_str(a, GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
	if (o->tls && o->tls_server_name)
		add_str(a, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, o->tls_server_name);
}

struct channel *channel_new(struct loop *l, const struct channel_options *o, struct rx_err *err)
{
	grpc_channel_credentials *creds = credentials(o, err);
	RX_CLEANUP(xfreep) char *uri = NULL;
	struct args a = { .n = 0 };

	if (!creds)
		return NULL;
	uri = target_uri(o->target);
	add_args(&a, o);
	grpc_channel_args args = { .num_args = a.n, .args = a.v };
	struct channel *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->display = xstrdup(o->display ? o->display : o->target);
	c->channel = grpc_channel_create(uri, creds, &args);
	grpc_channel_credentials_release(creds);
	return c;
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	grpc_channel_destroy(c->channel);
	free(c->display);
	free(c);
}

const char *channel_display(const struct channel *c)
{
	return c->display;
}

struct loop *channel_loop(const struct channel *c)
{
	return c->loop;
}

grpc_channel *channel_grpc(const struct channel *c)
{
	return c->channel;
}
