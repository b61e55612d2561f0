/* server_fixture: a server in this process on a unix socket, and raw calls to it. */
#pragma once

#include "call.h"
#include "server.h"
#include "store.h"
#include "wire_ac.h"
#include "wire_bytestream.h"
#include "wire_capabilities.h"
#include "wire_cas.h"
#include "wire_execution.h"
#include "wire_tree.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"

static char *fx_dir, *fx_socket;
static struct loop *fx_loop;
static struct pool *fx_pool;
static struct server *fx_server;
static struct channel *fx_channel;
static struct runner *fx_runner;
static struct arena fx_arena;

static RX_UNUSED void fx_setup(void)
{
	struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "remex-server-", &fx_dir, &err), "%s", rx_err_text(&err));
	fx_socket = path_join(fx_dir, "s");
}

/* o: what differs from a cache with defaults. */
static RX_UNUSED void fx_start(struct server_options o)
{
	struct rx_err err = { 0 };
	char *target = xasprintf("unix:%s", fx_socket);
	struct channel_options co = { .target = target, .display = target };

	if (o.execution && !fx_runner) {
		fx_runner = runner_new(RUNNER_AUTO, &err);
		cr_assert(fx_runner, "%s", rx_err_text(&err));
	}
	if (!fx_loop) {
		fx_loop = loop_new();
		fx_pool = pool_new(4, 64);
	}
	o.listen.unix_path = fx_socket;
	o.dir = fx_dir;
	o.runner = fx_runner;
	o.loop = fx_loop;
	o.pool = fx_pool;
	fx_server = server_new(&o, &err);
	cr_assert(fx_server, "%s", rx_err_text(&err));
	fx_channel = channel_new(fx_loop, &co, &err);
	cr_assert(fx_channel, "%s", rx_err_text(&err));
	free(target);
}

static RX_UNUSED void fx_stop(void)
{
	channel_free(fx_channel);
	server_free(fx_server, 1000);
	fx_channel = NULL;
	fx_server = NULL;
}

static RX_UNUSED void fx_teardown(void)
{
	struct rx_err err = { 0 };

	fx_stop();
	pool_free(fx_pool);
	loop_free(fx_loop);
	runner_free(fx_runner);
	cr_expect(file_remove_tree(AT_FDCWD, fx_dir, &err), "%s", rx_err_text(&err));
	rx_err_release(&err);
	arena_release(&fx_arena);
	free(fx_dir);
	free(fx_socket);
}

/* One request; returns the code. The request buffer is taken. */
static struct rpc_status fx_status; /* of the last call */
static RX_UNUSED int fx_unary(const char *method, struct rx_buf *req, struct rx_view *reply)
{
	struct rx_err err = { 0 };
	struct rx_view ignored;

	fx_status = (struct rpc_status){ 0 };
	if (!call_unary(fx_channel, method, rpc_body_take(req), &(struct call_options){ 0 },
			&fx_arena, reply ? reply : &ignored, &fx_status, &err))
		cr_expect(err.code == RX_ERPC);
	rx_err_release(&err);
	return fx_status.code;
}

/* Reads a whole stream; messages are copied into the arena. */
static struct rx_view fx_messages[4096];
static size_t fx_n_messages;
static RX_UNUSED int fx_read(const char *method, struct rx_buf *req)
{
	struct rx_err err = { 0 };
	struct rx_view msg;
	struct call_reader *r =
		call_read(fx_channel, method, rpc_body_take(req), &(struct call_options){ 0 });
	enum call_next next;

	fx_n_messages = 0;
	fx_status = (struct rpc_status){ 0 };
	while ((next = call_read_next(r, &msg, &fx_arena, &fx_status, &err)) == CALL_MESSAGE) {
		cr_assert(fx_n_messages < RX_COUNT(fx_messages));
		fx_messages[fx_n_messages++] = arena_view(&fx_arena, msg);
	}
	call_read_free(r);
	rx_err_release(&err);
	return next == CALL_ENDED ? 0 : fx_status.code;
}

static RX_UNUSED struct digest fx_digest(struct rx_view v)
{
	struct digest d;

	digest_of_view(DIGEST_SHA256, v, &d);
	return d;
}

/* n bytes that depend on seed, in the arena. */
static RX_UNUSED struct rx_view fx_bytes(unsigned seed, size_t n)
{
	char *p = arena_alloc(&fx_arena, n ? n : 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(seed * 31u + i * 40503u + (i >> 7));
	if (n >= sizeof(seed))
		memcpy(p, &seed, sizeof(seed));
	return (struct rx_view){ p, n };
}

/* BatchUpdateBlobs; d may claim what it wants. Returns the call's code, codes of entries in codes.
 */
static RX_UNUSED int fx_update(const char *instance, const struct digest *d,
			       const struct rx_view *data, size_t n, int *codes)
{
	struct rx_buf req = { .max = RX_BUF_NO_MAX };
	struct wire_blob_statuses statuses;
	struct rx_err err = { 0 };
	struct rx_view reply;

	wire_update_add_header(&req, instance, DIGEST_UNKNOWN);
	for (size_t i = 0; i < n; i++) {
		struct digest claimed = d[i];
		char *to;

		claimed.size = (int64_t)data[i].n;
		to = wire_update_add_entry(&req, d[i].size == claimed.size ? &d[i] : &claimed);
		memcpy(to, data[i].p, data[i].n);
	}
	if (fx_unary(WIRE_CAS "BatchUpdateBlobs", &req, &reply))
		return fx_status.code;
	cr_assert(wire_update_reply_unpack(&fx_arena, reply, (enum digest_function)d[0].function,
					   &statuses, &err),
		  "%s", rx_err_text(&err));
	cr_assert(statuses.n == n);
	for (size_t i = 0; codes && i < n; i++)
		codes[i] = statuses.v[i].code;
	return 0;
}

static RX_UNUSED struct digest fx_put(struct rx_view v)
{
	struct digest d = fx_digest(v);
	int code = -1;

	cr_assert(fx_update("", &d, &v, 1, &code) == 0, "%s", fx_status.message);
	cr_assert(code == 0, "%d", code);
	return d;
}

/* How many of them FindMissingBlobs reports. */
static RX_UNUSED size_t fx_missing(const struct digest *d, size_t n)
{
	const struct wire_find m = { .digests = { (struct digest *)d, n } };
	struct rx_buf req = { .max = RX_BUF_NO_MAX };
	struct wire_digests missing;
	struct rx_err err = { 0 };
	struct rx_view reply;

	wire_find_pack(&m, &req);
	cr_assert(fx_unary(WIRE_CAS "FindMissingBlobs", &req, &reply) == 0, "%s",
		  fx_status.message);
	cr_assert(wire_missing_unpack(&fx_arena, reply, DIGEST_UNKNOWN, &missing, &err));
	return missing.n;
}

/* ByteStream.Read; the bytes in the arena. */
static RX_UNUSED int fx_download(const char *resource, int64_t offset, int64_t limit,
				 struct rx_view *out)
{
	const struct wire_read_request m = { resource, offset, limit };
	struct rx_buf req = { 0 }, all = { .max = RX_BUF_NO_MAX };
	struct rx_err err = { 0 };
	int code;

	wire_read_request_pack(&m, &req);
	code = fx_read(WIRE_BYTESTREAM "Read", &req);
	for (size_t i = 0; i < fx_n_messages; i++) {
		struct rx_view data;

		cr_assert(wire_read_response_unpack(fx_messages[i], &data, &err));
		rx_buf_add(&all, data.p, data.n);
	}
	if (out)
		*out = arena_view(&fx_arena, rx_view_of(&all));
	rx_buf_release(&all);
	return code;
}

static RX_UNUSED const char *fx_resource(const char *instance, const char *uuid,
					 const struct digest *d)
{
	struct rx_buf b = { 0 };
	const char *name;

	if (uuid)
		resource_add_upload(&b, instance, uuid, COMPRESSOR_IDENTITY, d);
	else
		resource_add_download(&b, instance, COMPRESSOR_IDENTITY, d);
	name = arena_str(&fx_arena, rx_buf_str(&b));
	rx_buf_release(&b);
	return name;
}

static RX_UNUSED bool fx_send(struct call_writer *w, const char *resource, int64_t offset,
			      struct rx_view data, bool finish)
{
	const struct wire_write_request m = { resource, offset, finish, data };
	struct rx_buf b = { .max = RX_BUF_NO_MAX };

	wire_write_request_add_header(&m, data.n, &b);
	rx_buf_add(&b, data.p, data.n);
	return call_write_send(w, rpc_body_take(&b));
}

static RX_UNUSED struct call_writer *fx_write(void)
{
	return call_write(fx_channel, WIRE_BYTESTREAM "Write", &(struct call_options){ 0 });
}

/* Ends an upload; committed is -2 when the call failed. */
static RX_UNUSED int fx_write_end(struct call_writer *w, int64_t *committed)
{
	struct rx_err err = { 0 };
	struct rx_view reply;

	*committed = -2;
	fx_status = (struct rpc_status){ 0 };
	if (call_write_end(w, &fx_arena, &reply, &fx_status, &err))
		cr_expect(wire_write_response_unpack(reply, committed, &err));
	call_write_free(w);
	rx_err_release(&err);
	return fx_status.code;
}

static RX_UNUSED const struct rx_view hello = { "hello, world", 12 };

/* The place of a blob in the store's directory. */
static RX_UNUSED char *stored(const struct digest *d)
{
	char hex[129];

	digest_hex(d, hex);
	return xasprintf("%s/cas/sha256/%.2s/%s-%" PRId64, fx_dir, hex, hex, d->size);
}

static RX_UNUSED void damage(const struct digest *d, int64_t at)
{
	char *path = stored(d);
	int fd;

	cr_assert(chmod(path, 0600) == 0);
	fd = open(path, O_WRONLY);
	cr_assert(pwrite(fd, "?!", 2, at) == 2);
	close(fd);
	free(path);
}
