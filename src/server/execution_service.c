/* execution_service: Execute, WaitExecution, GetOperation, CancelOperation. */
#include "limit.h"
#include "server_parts.h"
#include "utf8.h"
#include "wire_action.h"
#include "wire_execution.h"

/* Reads the Action itself. present: it is in the store. */
static bool read_action(struct server *s, const struct digest *d, struct arena *a,
			struct action *out, bool *present, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { .max = LIMIT_ACTION_BYTES };
	char text[DIGEST_TEXT_MAX];

	digest_format(d, text);
	if (d->size > (int64_t)LIMIT_ACTION_BYTES)
		return rx_fail(err, RX_EUSAGE, "action %s is over the limit of %u bytes", text,
			       LIMIT_ACTION_BYTES);
	*present = store_read(s->store, d, LIMIT_ACTION_BYTES, &bytes, err);
	if (!*present) {
		if (err->code != RX_ENOENT)
			return false;
		rx_err_release(err);
		return true;
	}
	return wire_action_unpack(a, arena_view(a, rx_view_of(&bytes)), out, err) ||
	       rx_wrap(err, "action %s", text);
}

/* A hit ends the call: one Operation that is done and that nobody needs to wait for. */
static void reply_cached(struct listen_call *c, const struct digest *action, struct result *r)
{
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	char uuid[37], name[64];
	struct wire_operation w = { .name = name,
				    .done = true,
				    .has_metadata = true,
				    .stage = STAGE_COMPLETED,
				    .action = *action,
				    .has_response = true,
				    .has_result = true,
				    .result = *r,
				    .cached = true,
				    .status = { .message = "" } };

	uuid_v4(uuid);
	(void)snprintf(name, sizeof(name), "operations/%s", uuid);
	wire_operation_pack(&w, WIRE_LINKS_NEW, &reply);
	server_reply(c, &reply);
}

static bool lookup(struct listen_call *c, const struct wire_execute *m, bool *hit,
		   struct rx_err *err)
{
	struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_buf_release) struct rx_buf packed = { .max = SERVER_MAX_REPLY };
	struct result r;

	if (!ac_lookup(s->store, m->instance, &m->action,
		       &(struct inline_wishes){ m->inline_stdout, m->inline_stderr, m->inline_files,
						m->n_inline_files },
		       listen_arena(c), &r, &packed, hit, err))
		return false;
	if (*hit)
		reply_cached(c, &m->action, &r);
	return true;
}

static void execute(struct listen_call *c, struct rx_view msg)
{
	struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct arena *a = listen_arena(c);
	struct action action = { 0 };
	bool present = false, hit = false;
	struct wire_execute m;

	if (!server_check_writable(c))
		return;
	if (!wire_execute_unpack(a, msg, &m, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, m.instance) || !server_check_digest(c, &m.action))
		return;
	if (!read_action(s, &m.action, a, &action, &present, &err) ||
	    (!m.skip_cache_lookup && !action.do_not_cache && !lookup(c, &m, &hit, &err))) {
		server_fail(c, &err);
		return;
	}
	if (hit)
		return;
	if (!present) { /* REAPI rules 110, 117 */
		server_missing(c, a, "the action", &(struct digest_list){ .v = &m.action, .n = 1 });
		return;
	}
	if (!operations_execute(s->operations, c, &m, !action.do_not_cache, &err))
		server_fail(c, &err);
}

/* The name in a request, NULL when the call is over. */
static const char *request_name(struct listen_call *c, struct rx_view msg)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	const char *name;

	if (wire_name_unpack(listen_arena(c), msg, &name, &err))
		return name;
	server_fail(c, &err);
	return NULL;
}

static void refuse_name(struct listen_call *c, const char *name)
{
	server_refuse(c, RPC_NOT_FOUND, "there is no operation '%s'", name);
}

static void wait_execution(struct listen_call *c, struct rx_view msg)
{
	struct server *s = listen_ctx(c);
	const char *name = request_name(c, msg);

	if (name && !operations_watch(s->operations, c, name)) /* REAPI rule 121 */
		refuse_name(c, name);
}

static void get_operation(struct listen_call *c, struct rx_view msg)
{
	struct server *s = listen_ctx(c);
	struct rx_buf reply = { .max = SERVER_MAX_REPLY };
	const char *name = request_name(c, msg);

	if (!name)
		return;
	if (operations_state(s->operations, name, &reply))
		server_reply(c, &reply);
	else
		refuse_name(c, name);
}

static void cancel_operation(struct listen_call *c, struct rx_view msg)
{
	struct server *s = listen_ctx(c);
	struct rx_buf empty = { 0 };
	const char *name = request_name(c, msg);

	if (!name)
		return;
	if (operations_cancel(s->operations, name)) /* REAPI rule 128 */
		server_reply(c, &empty);
	else
		refuse_name(c, name);
}

static void stream_closed(struct listen_call *c)
{
	struct server *s = listen_ctx(c);

	operations_unwatch(s->operations, c);
	server_closed(c);
}

const struct listen_method *execution_methods(size_t *n)
{
	static const struct listen_method methods[] = {
		{ .path = WIRE_EXECUTION "Execute",
		  .start = server_started,
		  .message = execute,
		  .closed = stream_closed },
		{ .path = WIRE_EXECUTION "WaitExecution",
		  .start = server_started,
		  .message = wait_execution,
		  .closed = stream_closed },
		{ .path = WIRE_OPERATIONS "GetOperation",
		  .start = server_started,
		  .message = get_operation,
		  .closed = server_closed },
		{ .path = WIRE_OPERATIONS "CancelOperation",
		  .start = server_started,
		  .message = cancel_operation,
		  .closed = server_closed },
	};

	*n = RX_COUNT(methods);
	return methods;
}
