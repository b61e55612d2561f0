/* server: puts store, services and operations behind one listener; what all services share. */
#include "server_parts.h"

#include <errno.h>
#include <stdarg.h>

#include "log.h"
#include "scratch.h"
#include "utf8.h"

#define METHODS_MAX    32
#define VIOLATIONS_MAX 10000

/* The listener keeps pointing at the table. */
struct method_table {
	struct listen_method v[METHODS_MAX];
	size_t n;
};
struct whole {
	struct server s;
	struct method_table methods;
	struct scratch scratch;
};

bool server_started(struct listen_call *c)
{
	struct server *s = listen_ctx(c);

	pthread_mutex_lock(&s->lock);
	s->live++;
	pthread_mutex_unlock(&s->lock);
	return true;
}

void server_closed(struct listen_call *c)
{
	struct server *s = listen_ctx(c);

	pthread_mutex_lock(&s->lock);
	s->live--;
	server_touched(s);
	pthread_mutex_unlock(&s->lock);
}

int server_code(const struct rx_err *err)
{
	switch (err->code) {
	case RX_EDIGEST:
	case RX_EPARSE:
	case RX_EUSAGE:
		return RPC_INVALID_ARGUMENT;
	case RX_ENOENT:
		return RPC_NOT_FOUND;
	case RX_ELIMIT:
		return RPC_RESOURCE_EXHAUSTED;
	case RX_ECANCEL:
		return RPC_CANCELLED;
	case RX_ERPC:
		return err->grpc_status;
	case RX_EIO:
		return err->sys_errno == ENOSPC || err->sys_errno == EDQUOT ? RPC_RESOURCE_EXHAUSTED
									    : RPC_INTERNAL;
	default:
		return RPC_INTERNAL;
	}
}

void server_fail(struct listen_call *c, const struct rx_err *err)
{
	rx_debug("server: %s: %s", listen_method_of(c)->path, rx_err_text(err));
	listen_finish(c, server_code(err), rx_err_text(err), (struct rx_view){ 0 });
}

void server_refuse(struct listen_call *c, int code, const char *fmt, ...)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { 0 };
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Names of clients go into it; cut in the middle of a character it would not be text. */
	utf8_add_safe(&text, line, strlen(line), sizeof(line));
	rx_debug("server: %s: %s", listen_method_of(c)->path, rx_buf_str(&text));
	listen_finish(c, code, rx_buf_str(&text), (struct rx_view){ 0 });
}

void server_missing_status(struct arena *a, const char *what, const struct digest_list *missing,
			   struct wire_status *out)
{
	/* Enough for one round of uploads; the rest is told in the next one. */
	size_t n = RX_MIN(missing->n, (size_t)VIOLATIONS_MAX);
	struct wire_violation *v = ARENA_ARRAY(a, struct wire_violation, n);

	for (size_t i = 0; i < n; i++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf subject = { 0 };

		resource_add_subject(&subject, &missing->v[i]);
		v[i].type = "MISSING";
		v[i].subject = arena_str(a, rx_buf_str(&subject));
		v[i].description = "";
		v[i].is_missing = true;
		v[i].digest = missing->v[i];
	}
	*out = (struct wire_status){ .code = RPC_FAILED_PRECONDITION,
				     .message = arena_printf(a, "%s: %zu blob%s not in the store",
							     what, missing->n,
							     missing->n == 1 ? " is" : "s are"),
				     .violations = v,
				     .n_violations = n,
				     .all_missing = true };
}

void server_missing(struct listen_call *c, struct arena *a, const char *what,
		    const struct digest_list *missing)
{
	/* Details travel as a header, of which clients take 8 KiB in all: what does not fit is
	 * told in the next round. */
	RX_CLEANUP(rx_buf_release) struct rx_buf details = { .max = RX_BUF_NO_MAX };
	struct digest_list some = { .v = missing->v, .n = RX_MIN(missing->n, (size_t)20) };
	struct wire_status status;

	server_missing_status(a, what, &some, &status);
	wire_status_pack(&status, &details);
	listen_finish(c, status.code, status.message, rx_view_of(&details));
}

void server_reply(struct listen_call *c, struct rx_buf *body)
{
	if (body->full) {
		rx_buf_release(body);
		listen_finish(c, RPC_RESOURCE_EXHAUSTED, "the answer is too large",
			      (struct rx_view){ 0 });
		return;
	}
	listen_reply(c, rpc_body_take(body));
}

bool server_check_instance(struct listen_call *c, const char *instance)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };

	if (resource_check_instance(instance, &err))
		return true;
	server_fail(c, &err);
	return false;
}

bool server_check_digest(struct listen_call *c, const struct digest *d)
{
	if (!digest_is_set(d)) { /* REAPI rule 19 */
		server_refuse(c, RPC_INVALID_ARGUMENT, "the request has no digest");
		return false;
	}
	if (!digest_function_supported((enum digest_function)d->function)) {
		server_refuse(c, RPC_INVALID_ARGUMENT,
			      "digest function %s is not supported by this server",
			      digest_function_name((enum digest_function)d->function));
		return false;
	}
	return true;
}

bool server_check_digests(struct listen_call *c, const struct wire_digests *digests)
{
	for (size_t i = 0; i < digests->n; i++) {
		if (!server_check_digest(c, &digests->v[i]))
			return false;
		if (digests->v[i].function != digests->v[0].function) { /* REAPI rule 28 */
			server_refuse(
				c, RPC_INVALID_ARGUMENT, "digests of %s and %s in one request",
				digest_function_name((enum digest_function)digests->v[0].function),
				digest_function_name((enum digest_function)digests->v[i].function));
			return false;
		}
	}
	return true;
}

bool server_check_writable(struct listen_call *c)
{
	const struct server *s = listen_ctx(c);

	if (!s->o.read_only)
		return true;
	server_refuse(c, RPC_PERMISSION_DENIED, "this server is read-only");
	return false;
}

/* An action ended, or a client came: it is about to ask for something. */
static void changed(void *ctx)
{
	struct server *s = ctx;

	pthread_mutex_lock(&s->lock);
	server_touched(s);
	pthread_mutex_unlock(&s->lock);
}

static void add_methods(struct method_table *t, const struct listen_method *v, size_t n)
{
	memcpy(t->v + t->n, v, n * sizeof(*v));
	t->n += n;
}

static void all_methods(struct method_table *t, bool execution)
{
	const struct listen_method *(*const services[])(size_t * n) = {
		capabilities_methods, cas_methods, tree_methods,      download_methods,
		upload_methods,       ac_methods,  execution_methods,
	};

	for (size_t i = 0; i < RX_COUNT(services); i++) {
		size_t n;
		const struct listen_method *v = services[i](&n);

		if (services[i] != execution_methods || execution)
			add_methods(t, v, n);
	}
}

static bool start_operations(struct whole *w, struct rx_err *err)
{
	struct server *s = &w->s;

	if (!scratch_open(&w->scratch, s->o.dir, SERVER_SCRATCH, err))
		return false;
	s->operations = operations_new(
		&(struct operations_options){
			.store = s->store,
			.runner = s->o.runner,
			.pool = s->o.pool,
			.scratch_dir = w->scratch.path,
			.max_actions = s->o.max_actions,
			.orphan_ms = s->o.orphan_ms,
			.changed = changed,
			.ctx = s,
		},
		err);
	return s->operations != NULL;
}

static bool start(struct whole *w, struct rx_err *err)
{
	struct server *s = &w->s;
	char space[65] = "cache";
	struct listen_options listen = s->o.listen;
	struct store_options store = { .dir = s->o.dir,
				       .max_size = s->o.max_size,
				       .ac_space = space,
				       .promise_ms = s->o.promise_ms };

	if (s->o.execution)
		worker_host_space(runner_sandbox_kind(s->o.runner), space);
	s->store = store_new(&store, err);
	if (!s->store || (s->o.execution && !start_operations(w, err)))
		return false;
	if (!listen.max_receive)
		listen.max_receive = SERVER_MAX_RECEIVE;
	listen.connected = changed;
	all_methods(&w->methods, s->o.execution);
	s->listener = listen_new(s->o.loop, s->o.pool, &listen, w->methods.v, w->methods.n, s, err);
	return s->listener && server_watch_start(s, err);
}

struct server *server_new(const struct server_options *o, struct rx_err *err)
{
	struct whole *w = xcalloc(1, sizeof(*w));
	struct server *s = &w->s;

	s->o = *o;
	if (!s->o.upload_keep_ms)
		s->o.upload_keep_ms = SERVER_UPLOAD_KEEP_MS;
	pthread_mutex_init(&s->lock, NULL);
	server_watch_init(s);
	if (!start(w, err)) {
		server_free(s, 0);
		return NULL;
	}
	return s;
}

int server_port(const struct server *s)
{
	return listen_port(s->listener);
}

void server_free(struct server *s, int64_t grace_ms)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct whole *w;

	if (!s)
		return;
	w = RX_CONTAINER(s, struct whole, s);
	server_watch_stop(s);
	if (s->listener)
		listen_free(s->listener, grace_ms);
	operations_free(s->operations);
	uploads_free(s);
	store_free(s->store);
	if (!scratch_close(&w->scratch, &err))
		rx_debug("server: %s", rx_err_text(&err));
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	free(w);
}
