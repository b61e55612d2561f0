/* threads_server: uploads, reads, evictions and actions at once on one small server. */
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "call.h"
#include "clock.h"
#include "file.h"
#include "server.h"
#include "store.h"
#include "utf8.h"
#include "wire_action.h"
#include "wire_bytestream.h"
#include "wire_cas.h"
#include "wire_execution.h"

#define SECONDS   3
#define BLOBS     200 /* of 64 KiB: three times what the store may hold */
#define BLOB_SIZE 65536
#define PROMISE   500 /* ms */

static struct channel *channel;
static int64_t end_ns;
static atomic_int bad, puts_done, reads_done, refused, runs_done;

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	atomic_fetch_add(&bad, 1);
	fprintf(stderr, "threads_server: %s\n", what);
}

static struct digest make_blob(unsigned seed, struct rx_buf *out)
{
	struct digest d;
	char *p;

	rx_buf_reset(out);
	out->max = BLOB_SIZE;
	p = rx_buf_reserve(out, BLOB_SIZE);
	memset(p, (int)seed, BLOB_SIZE);
	memcpy(p, &seed, sizeof(seed));
	rx_buf_grew(out, BLOB_SIZE);
	digest_of_view(DIGEST_SHA256, rx_view_of(out), &d);
	return d;
}

static int unary(struct arena *a, const char *method, struct rx_buf *req, struct rx_view *reply)
{
	struct rpc_status status = { 0 };
	struct rx_err err = { 0 };

	(void)!call_unary(channel, method, rpc_body_take(req), &(struct call_options){ 0 }, a,
			  reply, &status, &err);
	rx_err_release(&err);
	return status.code;
}

static void put_batch(struct arena *a, const struct digest *d, struct rx_view bytes)
{
	struct rx_buf req = { .max = 1 << 20 };
	struct wire_blob_statuses got;
	struct rx_err err = { 0 };
	struct rx_view reply;

	wire_update_add_header(&req, "", DIGEST_UNKNOWN);
	memcpy(wire_update_add_entry(&req, d), bytes.p, bytes.n);
	check(unary(a, WIRE_CAS "BatchUpdateBlobs", &req, &reply) == 0, "BatchUpdateBlobs");
	check(wire_update_reply_unpack(a, reply, DIGEST_SHA256, &got, &err) && got.n == 1,
	      "its answer");
	check(got.v[0].code == 0 || got.v[0].code == RPC_RESOURCE_EXHAUSTED, "its entry");
	atomic_fetch_add(got.v[0].code ? &refused : &puts_done, 1);
}

static void put_stream(struct arena *a, const struct digest *d, struct rx_view bytes)
{
	struct call_writer *w =
		call_write(channel, WIRE_BYTESTREAM "Write", &(struct call_options){ 0 });
	struct rx_buf name = { 0 };
	struct rpc_status status = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;
	int64_t committed = 0;
	char uuid[37];

	uuid_v4(uuid);
	resource_add_upload(&name, "", uuid, COMPRESSOR_IDENTITY, d);
	for (size_t at = 0; at < bytes.n; at += 16384) {
		const struct wire_write_request m = { .resource = at ? NULL : rx_buf_str(&name),
						      .offset = (int64_t)at,
						      .finish = at + 16384 == bytes.n };
		struct rx_buf b = { .max = 1 << 16 };

		wire_write_request_add_header(&m, 16384, &b);
		rx_buf_add(&b, bytes.p + at, 16384);
		if (!call_write_send(w, rpc_body_take(&b)))
			break;
	}
	if (call_write_end(w, a, &reply, &status, &err))
		check(wire_write_response_unpack(reply, &committed, &err) && committed == d->size,
		      "committed size");
	check(status.code == 0 || status.code == RPC_RESOURCE_EXHAUSTED, "Write");
	atomic_fetch_add(status.code ? &refused : &puts_done, 1);
	call_write_free(w);
	rx_buf_release(&name);
	rx_err_release(&err);
}

static bool present(struct arena *a, struct digest *d)
{
	const struct wire_find m = { .digests = { d, 1 } };
	struct rx_buf req = { 0 };
	struct wire_digests missing;
	struct rx_err err = { 0 };
	struct rx_view reply;

	wire_find_pack(&m, &req);
	check(unary(a, WIRE_CAS "FindMissingBlobs", &req, &reply) == 0, "FindMissingBlobs");
	check(wire_missing_unpack(a, reply, DIGEST_SHA256, &missing, &err), "its answer");
	return missing.n == 0;
}

static void read_back(struct arena *a, struct digest *d, struct rx_view want)
{
	const struct wire_read m = { .digests = { d, 1 } };
	int64_t asked = clock_mono_ns();
	bool promised = present(a, d);
	struct wire_blob_statuses got;
	struct rx_buf req = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply;

	wire_read_pack(&m, &req);
	check(unary(a, WIRE_CAS "BatchReadBlobs", &req, &reply) == 0, "BatchReadBlobs");
	check(wire_read_reply_unpack(a, reply, DIGEST_SHA256, &got, &err) && got.n == 1,
	      "its answer");
	if (got.v[0].code == 0)
		check(rx_view_eq(got.v[0].data, want), "its bytes");
	else
		check(got.v[0].code == RPC_NOT_FOUND, "its entry");
	if (promised && clock_mono_ns() - asked < PROMISE * 900000ll)
		check(got.v[0].code == 0, "a promised blob is gone");
	atomic_fetch_add(&reads_done, 1);
}

static void *blobs(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg * 7919u;
	struct rx_buf bytes = { 0 };

	while (clock_mono_ns() < end_ns) {
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		struct digest d;

		seed = seed * 1664525u + 1013904223u;
		d = make_blob((seed >> 8) % BLOBS, &bytes);
		if (seed >> 28 < 6)
			put_batch(&a, &d, rx_view_of(&bytes));
		else if (seed >> 28 < 10)
			put_stream(&a, &d, rx_view_of(&bytes));
		else
			read_back(&a, &d, rx_view_of(&bytes));
	}
	rx_buf_release(&bytes);
	return NULL;
}

static struct digest put_small(struct arena *a, struct rx_view v)
{
	struct digest d;

	digest_of_view(DIGEST_SHA256, v, &d);
	put_batch(a, &d, v);
	return d;
}

static struct digest put_action(struct arena *a, unsigned n)
{
	const char *argv[] = { "/bin/sh", "-c", n % 3 ? "echo $0" : "sleep 0.2" };
	struct action action = { .argv = argv, .n_argv = 3, .do_not_cache = n % 2 };
	struct rx_buf b = { 0 };
	struct digest d;

	wire_command_pack(&action, WIRE_OUTPUT_PATHS, &b);
	action.command_digest = put_small(a, rx_view_of(&b));
	digest_empty(DIGEST_SHA256, &action.input_root);
	rx_buf_reset(&b);
	wire_action_pack(&action, &b);
	d = put_small(a, rx_view_of(&b));
	rx_buf_release(&b);
	return d;
}

/* Runs the same few actions as its siblings; some streams are dropped half way, some operations are
 * cancelled. */
static void *actions(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (clock_mono_ns() < end_ns) {
		RX_CLEANUP(arena_release) struct arena a = { 0 };
		struct wire_execute m = { .skip_cache_lookup = seed % 5 == 0 };
		struct wire_operation op = { .name = "" };
		struct rx_err err = { 0 };
		struct rx_buf req = { 0 };
		struct call_reader *r;
		enum call_next next;
		struct rx_view msg;

		seed++;
		m.action = put_action(&a, seed % 6);
		wire_execute_pack(&m, &req);
		r = call_read(channel, WIRE_EXECUTION "Execute", rpc_body_take(&req),
			      &(struct call_options){ 0 });
		while ((next = call_read_next(r, &msg, &a, NULL, &err)) == CALL_MESSAGE) {
			msg = arena_view(&a, msg);
			check(wire_operation_unpack(&a, msg, DIGEST_SHA256, &op, &err),
			      "an operation");
			if (seed % 7 == 3)
				call_read_cancel(r);
			if (seed % 11 == 4 && !op.done) {
				wire_name_pack(op.name, &req);
				(void)unary(&a, WIRE_OPERATIONS "CancelOperation", &req, &msg);
			}
		}
		if (next == CALL_ENDED)
			check(op.done, "the stream ended without a result");
		call_read_free(r);
		rx_err_release(&err);
		atomic_fetch_add(&runs_done, 1);
	}
	return NULL;
}

int main(void)
{
	struct rx_err err = { 0 };
	struct server_options o = { .execution = true,
				    .max_size = BLOBS * BLOB_SIZE / 3,
				    .max_actions = 3,
				    .promise_ms = PROMISE,
				    .orphan_ms = 50 };
	char *dir = NULL, *target;
	struct channel_options co = { 0 };
	struct server *server;
	pthread_t t[8];

	if (!file_temp_dir("/tmp", "remex-threads-", &dir, &err))
		return 1;
	o.runner = runner_new(RUNNER_NONE, &err);
	o.loop = loop_new();
	o.pool = pool_new(4, 64);
	o.dir = dir;
	o.listen.unix_path = path_join(dir, "s");
	server = o.runner ? server_new(&o, &err) : NULL;
	target = xasprintf("unix:%s", o.listen.unix_path);
	co.target = co.display = target;
	channel = server ? channel_new(o.loop, &co, &err) : NULL;
	if (!channel) {
		fprintf(stderr, "threads_server: %s\n", rx_err_text(&err));
		return 1;
	}
	end_ns = clock_mono_ns() + SECONDS * 1000000000ll;
	for (uintptr_t i = 0; i < 8; i++)
		if (pthread_create(&t[i], NULL, i < 5 ? blobs : actions, (void *)i))
			return 1;
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	channel_free(channel);
	server_free(server, 500);
	pool_free(o.pool);
	loop_free(o.loop);
	runner_free(o.runner);
	check(puts_done > 0 && reads_done > 0 && runs_done > 0, "nothing was done");
	printf("%d puts, %d refused, %d reads, %d runs\n", puts_done, refused, reads_done,
	       runs_done);
	if (!file_remove_tree(AT_FDCWD, dir, &err))
		check(false, rx_err_text(&err));
	rx_err_release(&err);
	free(dir);
	free(target);
	free((void *)o.listen.unix_path);
	return bad ? 1 : 0;
}
