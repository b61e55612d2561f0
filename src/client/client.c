/* client: opens the connections of the three roles and makes unary calls that are retried. */
#include "client_headers.h"

#include "attempt.h"
#include "utf8.h"

#define DEFAULT_JOBS 16
#define MAX_JOBS     1024
#define INSTANCE_MAX 2048 /* leaves room in a resource name */
#define DEFAULT_KEEPALIVE_MS                                                                       \
	330000 /* Go's servers end connections that ping more often than 5 min */

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static bool open_role(struct client *c, enum client_role role, const char *url,
		      const struct endpoint_settings *s, struct rx_err *err)
{
	struct client_role_state *r = &c->role[role];
	RX_CLEANUP(xfreep)
	char *agent = xasprintf("%s/%s", s->tool_name ? s->tool_name : "remex",
				s->tool_version ? s->tool_version : "0");

	if (!endpoint_parse(url, &r->endpoint, err))
		return false;
	if (r->endpoint.scheme == ENDPOINT_EMBEDDED)
		return rx_fail(err, RX_EUSAGE, "the embedded server has no URL yet");
	if (r->endpoint.user_info)
		r->basic = client_basic(r->endpoint.user_info);
	for (int i = 0; i < (int)role; i++) {
		if (strcmp(c->role[i].endpoint.display, r->endpoint.display) == 0) {
			r->channel = c->role[i].channel;
			r->caps_slot = c->role[i].caps_slot;
			return true;
		}
	}
	struct channel_options o = {
		.target = r->endpoint.target,
		.display = r->endpoint.display,
		.tls = r->endpoint.scheme == ENDPOINT_GRPCS,
		.tls_ca = s->tls_ca,
		.tls_cert = s->tls_cert,
		.tls_key = s->tls_key,
		.tls_server_name = s->tls_server_name,
		.keepalive_ms = s->keepalive_ms ? s->keepalive_ms : DEFAULT_KEEPALIVE_MS,
		.user_agent = agent,
	};
	r->caps_slot = role;
	r->channel = channel_new(c->loop, &o, err);
	r->owns_channel = r->channel != NULL;
	return r->owns_channel;
}

/* TLS options that would be ignored are a mistake worth stopping for. */
static bool check_tls(const struct client *c, const struct endpoint_settings *s, struct rx_err *err)
{
	if (!s->tls_ca && !s->tls_cert && !s->tls_key && !s->tls_server_name)
		return true;
	for (int i = 0; i < CLIENT_ROLES; i++) {
		if (c->role[i].endpoint.scheme == ENDPOINT_GRPCS)
			return true;
	}
	return rx_fail(err, RX_EUSAGE, "TLS options are given, but %s is not TLS: write grpcs://",
		       c->role[0].endpoint.display);
}

struct client *client_new(struct loop *l, struct pool *pool, const struct endpoint_settings *s,
			  struct rx_err *err)
{
	struct client *c = xcalloc(1, sizeof(*c));
	const char *urls[CLIENT_ROLES] = { s->cas, s->ac, s->executor };
	char uuid[37];

	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->caps_lock, NULL);
	c->loop = l;
	c->pool = pool;
	c->instance = xstrdup(s->instance ? s->instance : "");
	c->wanted = s->function;
	c->jobs = s->jobs ? RX_MIN(s->jobs, (unsigned)MAX_JOBS) : DEFAULT_JOBS;
	c->policy = RETRY_DEFAULT;
	if (s->retries_set)
		c->policy.tries = s->retries < UINT32_MAX ? s->retries + 1 : UINT32_MAX;
	c->timeout_ms = s->rpc_timeout_ms;
	c->tool_name = xstrdup(s->tool_name ? s->tool_name : "remex");
	c->tool_version = copy(s->tool_version);
	uuid_v4(uuid);
	c->invocation_id = xstrdup(s->invocation_id ? s->invocation_id : uuid);
	c->correlated_id = copy(s->correlated_id);
	c->token_file = copy(s->token_file);
	c->source.base.fetch = cas_fetch;
	c->source.client = c;
	client_set_action(c, NULL, NULL, NULL);
	if (strlen(c->instance) > INSTANCE_MAX) {
		rx_fail(err, RX_EUSAGE, "an instance name has at most %d bytes", INSTANCE_MAX);
		goto fail;
	}
	if (!resource_check_instance(c->instance, err))
		goto fail;
	if (!client_headers_set(c, s->headers, s->n_headers, err))
		goto fail;
	for (int i = 0; i < CLIENT_ROLES; i++) {
		const char *url = urls[i] ? urls[i] : s->remote;

		if (!url) {
			rx_fail(err, RX_EUSAGE, "there is no endpoint: give --remote URL");
			goto fail;
		}
		if (!open_role(c, (enum client_role)i, url, s, err))
			goto fail;
	}
	if (!check_tls(c, s, err) || !client_auth_check(c, err))
		goto fail;
	return c;
fail:
	client_free(c);
	return NULL;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	for (int i = CLIENT_ROLES - 1; i >= 0; i--) {
		struct client_role_state *r = &c->role[i];

		if (r->owns_channel)
			channel_free(r->channel);
		endpoint_release(&r->endpoint);
		client_secret_free(r->basic);
	}
	for (size_t i = 0; i < c->n_headers; i++) {
		free(c->headers[i].name);
		client_secret_free(c->headers[i].value);
	}
	free(c->headers);
	free(c->instance);
	free(c->tool_name);
	free(c->tool_version);
	free(c->invocation_id);
	free(c->correlated_id);
	free(c->token_file);
	client_secret_free(c->token);
	free(c->metadata);
	arena_release(&c->caps_arena);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->caps_lock);
	free(c);
}

const char *client_instance(const struct client *c)
{
	return c->instance;
}

const char *client_display(const struct client *c, enum client_role role)
{
	return c->role[role].endpoint.display;
}

struct pool *client_pool(const struct client *c)
{
	return c->pool;
}

struct channel *client_channel(const struct client *c, enum client_role role)
{
	return c->role[role].channel;
}

void client_add_place(const struct client *c, enum client_role role, struct rx_buf *out)
{
	rx_buf_add_str(out, c->role[role].endpoint.display);
	if (*c->instance)
		rx_buf_addf(out, " (instance '%s')", c->instance);
}

void client_stats_get(const struct client *c, struct client_stats *out)
{
	*out = (struct client_stats){
		.uploaded_bytes = atomic_load(&c->uploaded_bytes),
		.downloaded_bytes = atomic_load(&c->downloaded_bytes),
		.uploaded_blobs = atomic_load(&c->uploaded_blobs),
		.downloaded_blobs = atomic_load(&c->downloaded_blobs),
		.calls = atomic_load(&c->calls),
		.retries = atomic_load(&c->retries),
	};
}

bool client_unary(struct client *c, enum client_role role, const char *method, struct rx_view req,
		  int expected, struct arena *a, struct rx_view *reply, struct rpc_status *status,
		  struct rx_err *err)
{
	struct attempt t;

	attempt_init(&t, c, role, method);
	for (;;) {
		RX_CLEANUP(rx_err_release) struct rx_err try_err = { 0 };
		struct rpc_status st = { .code = RPC_UNKNOWN, .message = "" };
		struct call_options o;

		if (!client_call_options(c, role, a, &o, err))
			return false;
		if (call_unary(c->role[role].channel, method, rpc_body_copy(req), &o, a, reply, &st,
			       &try_err)) {
			if (status)
				*status = st;
			return true;
		}
		if (try_err.code != RX_ERPC && try_err.code != RX_OK) {
			rx_err_move(err, &try_err);
			return attempt_wrap(&t, err);
		}
		if (expected != RPC_OK && st.code == expected) {
			*reply = (struct rx_view){ 0 };
			if (status)
				*status = st;
			return true;
		}
		if (!attempt_again(&t, &st))
			return attempt_fail(&t, &st, err);
	}
}
