/* capabilities_service: what this server can do, and that it is well. */
#include "server_parts.h"
#include "wire_bytestream.h"
#include "wire_capabilities.h"
#include "wire_execution.h"

static const enum digest_function functions[] = {
	DIGEST_SHA256, DIGEST_SHA1,       DIGEST_MD5,     DIGEST_SHA384,
	DIGEST_SHA512, DIGEST_SHA256TREE, DIGEST_GITSHA1,
};

static void get_capabilities(struct listen_call *c, struct rx_view msg)
{
	const struct server *s = listen_ctx(c);
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf reply = { 0 };
	const char *instance;
	/* low stays at 2.0: clients that know no newer one, Bazel 7 among them, stop at a higher
	 * one (REAPI rules 37, 38). */
	struct wire_capabilities caps = {
		.has_cache = true,
		.has_execution = s->o.execution && !s->o.read_only,
		.deprecated = { .major = 2, .present = true },
		.low = { .major = 2, .present = true },
		.high = { .major = 2, .minor = 12, .present = true },
		.update_enabled = !s->o.read_only,
		.max_batch = SERVER_MAX_BATCH,
		.symlinks = WIRE_SYMLINKS_ALLOWED,
		.exec_enabled = s->o.execution && !s->o.read_only,
		.n_cache_functions = RX_COUNT(functions),
		.n_exec_functions = RX_COUNT(functions),
	};

	if (!wire_capabilities_request_unpack(listen_arena(c), msg, &instance, &err)) {
		server_fail(c, &err);
		return;
	}
	if (!server_check_instance(c, instance))
		return;
	memcpy(caps.cache_functions, functions, sizeof(functions));
	memcpy(caps.exec_functions, functions, sizeof(functions));
	wire_capabilities_pack(&caps, &reply);
	server_reply(c, &reply);
}

static void health_check(struct listen_call *c, struct rx_view msg)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	struct rx_buf reply = { 0 };
	const char *service;

	if (!wire_name_unpack(listen_arena(c), msg, &service, &err)) {
		server_fail(c, &err);
		return;
	}
	/* "" asks for the whole server; a service is as well as the server is, if it is here. */
	if (service[0] && strncmp(service, "build.bazel.remote.execution.v2.", 32) != 0 &&
	    strcmp(service, "google.bytestream.ByteStream") != 0) {
		server_refuse(c, RPC_NOT_FOUND, "there is no service '%s' here", service);
		return;
	}
	wire_health_pack(true, &reply);
	server_reply(c, &reply);
}

const struct listen_method *capabilities_methods(size_t *n)
{
	static const struct listen_method methods[] = {
		{ .path = WIRE_CAPABILITIES,
		  .start = server_started,
		  .message = get_capabilities,
		  .closed = server_closed },
		{ .path = WIRE_HEALTH,
		  .start = server_started,
		  .message = health_check,
		  .closed = server_closed },
	};

	*n = RX_COUNT(methods);
	return methods;
}
