/* connection: turns connection options into a client, starting what has to be started. */
#include "connection.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "embedded.h"
#include "signals.h"

#define POOL_QUEUE 1024

static bool parse_function(void *to, const char *value, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf all = { 0 };
	enum digest_function f;

	if (digest_function_parse(rx_view_str(value), &f) && digest_function_supported(f)) {
		*(int *)to = (int)f;
		return true;
	}
	for (int i = DIGEST_SHA256; i <= DIGEST_GITSHA1; i++)
		if (digest_function_supported((enum digest_function)i))
			rx_buf_addf(&all, "%s%s", all.n ? ", " : "",
				    digest_function_name((enum digest_function)i));
	return rx_fail(err, RX_EUSAGE, "'%s' is not one of %s", value, rx_buf_str(&all));
}

const struct opt *connection_options(struct connection *k)
{
	const struct opt table[] = {
		OPT_STR('r', "remote", &k->remote, "URL|NAME",
			"the server: grpc://HOST:PORT, grpcs://, unix:///PATH, embedded (the "
			"default) "
			"or a name from the settings",
			.flags = OPT_SETTING),
		OPT_STR(0, "cas", &k->cas, "URL", "where the CAS differs", .flags = OPT_SETTING),
		OPT_STR(0, "ac", &k->ac, "URL", "where the action cache differs",
			.flags = OPT_SETTING),
		OPT_STR(0, "executor", &k->executor, "URL", "where the executor differs",
			.flags = OPT_SETTING),
		OPT_STR(0, "instance", &k->instance, "NAME", "the server's instance name",
			.flags = OPT_SETTING),
		OPT_LIST(0, "header", &k->headers, "NAME=VALUE", "send this header with every call",
			 .flags = OPT_SETTING | OPT_PAIRS),
		OPT_STR(0, "token-file", &k->token_file, "FILE",
			"send this file's content as bearer token; reread when it changes",
			.flags = OPT_SETTING),
		OPT_STR(0, "tls-ca", &k->tls_ca, "FILE", "certificates to trust (PEM)",
			.flags = OPT_SETTING),
		OPT_STR(0, "tls-cert", &k->tls_cert, "FILE", "our own certificate (PEM)",
			.flags = OPT_SETTING),
		OPT_STR(0, "tls-key", &k->tls_key, "FILE", "its key (PEM)", .flags = OPT_SETTING),
		OPT_STR(0, "tls-server-name", &k->tls_server_name, "NAME",
			"the name its certificate must have", .flags = OPT_SETTING),
		OPT_CALLBACK(0, "digest-function", &k->function, parse_function, "NAME",
			     "sha256, sha1, sha384, sha512, md5, sha256tree or gitsha1",
			     .flags = OPT_SETTING),
		OPT_U32(0, "jobs", &k->jobs, "N", "transfers in flight (16)", .flags = OPT_SETTING),
		OPT_U32(0, "retries", &k->retries, "N", "further tries after the first (5)",
			.flags = OPT_SETTING),
		OPT_DURATION(0, "rpc-timeout", &k->rpc_timeout_ms,
			     "longest silence of a call (60s)", .flags = OPT_SETTING),
		OPT_DURATION(0, "keepalive", &k->keepalive_ms,
			     "ping a silent connection this often", .flags = OPT_SETTING),
		OPT_STR(0, "invocation-id", &k->invocation_id, "ID",
			"names this invocation in the server's logs", .flags = OPT_ENV),
		OPT_STR(0, "correlated-id", &k->correlated_id, "ID",
			"names the build it belongs to", .flags = OPT_SETTING),
		OPT_STR(0, "tool", &k->tool, "NAME/VERSION", "the tool the server is told of",
			.flags = OPT_SETTING),
		OPT_END
	};

	_Static_assert(RX_COUNT(table) <= CONNECTION_OPTIONS, "room for the table");
	memcpy(k->table, table, sizeof(table));
	k->retries = CONNECTION_RETRIES_UNSET;
	return k->table;
}

void connection_release(struct connection *k)
{
	opt_list_release(&k->headers);
	free(k->tool_name);
	free(k->header_pairs);
	*k = (struct connection){ 0 };
}

static bool split_headers(struct connection *k, struct endpoint_settings *out, struct arena *a,
			  struct rx_err *err)
{
	k->header_pairs = xcalloc(k->headers.n + 1, sizeof(*k->header_pairs));
	for (size_t i = 0; i < k->headers.n; i++) {
		const char *pair = k->headers.v[i], *equals = strchr(pair, '=');

		if (!equals || equals == pair)
			/* Not shown: what stands there in a wrong form may be the secret. */
			return rx_fail(err, RX_EUSAGE, "--header: expected NAME=VALUE");
		k->header_pairs[i].name = arena_strn(a, pair, (size_t)(equals - pair));
		k->header_pairs[i].value = equals + 1;
	}
	out->headers = k->header_pairs;
	out->n_headers = k->headers.n;
	return true;
}

static bool split_tool(struct connection *k, struct endpoint_settings *out, struct rx_err *err)
{
	const char *slash = k->tool ? strrchr(k->tool, '/') : NULL;

	out->tool_name = "remex";
	out->tool_version = REMEX_VERSION;
	if (!k->tool)
		return true;
	if (!slash || slash == k->tool || !slash[1])
		return rx_fail(err, RX_EUSAGE, "--tool '%s': expected NAME/VERSION", k->tool);
	k->tool_name = xstrndup(k->tool, (size_t)(slash - k->tool));
	out->tool_name = k->tool_name;
	out->tool_version = slash + 1;
	return true;
}

static bool to_settings(struct connection *k, struct endpoint_settings *out, struct arena *a,
			struct rx_err *err)
{
	*out = (struct endpoint_settings){
		.remote = k->remote ? k->remote : "embedded",
		.cas = k->cas,
		.ac = k->ac,
		.executor = k->executor,
		.instance = k->instance,
		.token_file = k->token_file,
		.tls_ca = k->tls_ca,
		.tls_cert = k->tls_cert,
		.tls_key = k->tls_key,
		.tls_server_name = k->tls_server_name,
		.function = (enum digest_function)k->function,
		.jobs = k->jobs,
		.retries = k->retries == CONNECTION_RETRIES_UNSET ? 0 : k->retries,
		.retries_set = k->retries != CONNECTION_RETRIES_UNSET,
		.rpc_timeout_ms = k->rpc_timeout_ms,
		.keepalive_ms = k->keepalive_ms,
		.invocation_id = k->invocation_id,
		.correlated_id = k->correlated_id,
	};
	if ((k->tls_cert == NULL) != (k->tls_key == NULL))
		return rx_fail(err, RX_EUSAGE, "--tls-cert and --tls-key go together");
	return split_headers(k, out, a, err) && split_tool(k, out, err);
}

static bool check_url(const char *option, const char *url, bool *embedded, struct rx_err *err)
{
	struct endpoint e = { 0 };

	if (!url)
		return true;
	if (!endpoint_parse(url, &e, err))
		return rx_wrap(err, "--%s", option);
	*embedded = *embedded || e.scheme == ENDPOINT_EMBEDDED;
	endpoint_release(&e);
	return true;
}

static bool own_path(char **out, struct rx_err *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return rx_fail_errno(err, "finding this program (/proc/self/exe)");
	path[n] = '\0';
	if (access(path, X_OK) != 0) {
		rx_fail_errno(err, "starting the embedded server: '%s'", path);
		rx_hint(err, "was remex replaced while it runs? try again");
		return false;
	}
	*out = xstrdup(path);
	return true;
}

static bool start_embedded(struct session *s, const struct cmd *c, struct rx_err *err)
{
	RX_CLEANUP(service_paths_release) struct service_paths paths = { 0 };
	RX_CLEANUP(xfreep) char *note = NULL;
	bool started;

	if (!own_path(&s->program, err) ||
	    !embedded_ensure(s->program, &s->embedded_url, &started, &note, err))
		return false;
	if (!started)
		return true;
	if (!embedded_paths(&paths, err))
		return false;
	cmd_say(c, "started the embedded server (%s); its log is %s", s->embedded_url, paths.log);
	if (note)
		cmd_say(c, "%s", note);
	return true;
}

static const char *without_embedded(const struct session *s, const char *url)
{
	return url && strcmp(url, "embedded") == 0 ? s->embedded_url : url;
}

bool session_open(struct session *s, const struct cmd *c, struct connection *k, bool want_runner,
		  struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	struct endpoint_settings e;
	bool embedded = false;
	bool need_remote = !(k->cas && k->ac && k->executor);

	*s = (struct session){ 0 };
	if (!to_settings(k, &e, &scratch, err) ||
	    (need_remote && !check_url("remote", e.remote, &embedded, err)) ||
	    !check_url("cas", e.cas, &embedded, err) || !check_url("ac", e.ac, &embedded, err) ||
	    !check_url("executor", e.executor, &embedded, err))
		return false;
	if (want_runner) {
		s->runner = runner_new(RUNNER_AUTO, err);
		if (!s->runner)
			return false;
	}
	if (embedded && !start_embedded(s, c, err))
		return false;
	e.remote = need_remote ? without_embedded(s, e.remote) : e.cas;
	e.cas = without_embedded(s, e.cas);
	e.ac = without_embedded(s, e.ac);
	e.executor = without_embedded(s, e.executor);
	signals_start(s->runner);
	s->loop = loop_new();
	signals_watch(s->loop);
	s->pool = pool_new(RX_MAX(pool_cpu_count() - 1, 1u), POOL_QUEUE);
	s->client = client_new(s->loop, s->pool, &e, err);
	return s->client != NULL;
}

void session_close(struct session *s)
{
#ifdef REMEX_SANITIZED
	/* Otherwise main ends the process at once: taking threads down in order costs milliseconds.
	 */
	client_free(s->client);
	pool_free(s->pool);
	signals_watch(NULL);
	if (s->loop)
		loop_free(s->loop);
#endif
	runner_free(s->runner);
	free(s->embedded_url);
	free(s->program);
	*s = (struct session){ 0 };
}
