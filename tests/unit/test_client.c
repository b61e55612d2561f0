/* test_client: connections, headers, retries, capabilities, the action cache. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "ac.h"
#include "attempt.h"
#include "clock.h"
#include "file.h"
#include "log.h"
#include "lying_fixture.h"
#include "wire_capabilities.h"
#include "wire_status.h"

static struct fixture f;

static void start(void)
{
	fixture_start(&f);
}

static void stop(void)
{
	fixture_stop(&f);
}

TestSuite(client, .init = start, .fini = stop, .timeout = 60);
TestSuite(caps, .init = start, .fini = stop, .timeout = 60);
TestSuite(ac, .init = start, .fini = stop, .timeout = 60);

static void new_fails(const char *text)
{
	struct rx_err err = { 0 };

	cr_assert_null(client_new(f.loop, f.pool, &f.settings, &err));
	cr_expect_eq(err.code, RX_EUSAGE);
	cr_expect(strstr(rx_err_text(&err), text), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

static void expect_header(const char *name, const char *value)
{
	char *v = lying_header(f.server, name);

	if (value)
		cr_expect(v && strcmp(v, value) == 0, "%s is %s", name, v ? v : "absent");
	else
		cr_expect_null(v);
	free(v);
}

Test(client, rule_153_reserved_instance_names_are_refused_early)
{
	f.settings.instance = "a/blobs/b";
	new_fails("blobs");
	f.settings.instance = "/a";
	new_fails("slash");
}

Test(client, an_endpoint_is_needed)
{
	f.settings.remote = NULL;
	new_fails("--remote");
	f.settings.remote = "embedded";
	new_fails("embedded");
}

Test(client, tls_options_need_tls)
{
	f.settings.tls_ca = "/nowhere.pem";
	new_fails("is not TLS");
}

Test(client, bad_headers_are_refused_without_their_values)
{
	static const struct {
		struct endpoint_header h;
		const char *why;
	} cases[] = {
		{ { "", "v" }, "no name" },
		{ { "a b", "v" }, "letters" },
		{ { "grpc-timeout", "1" }, "gRPC's own" },
		{ { "x", "a\nb" }, "printable" },
		{ { "x-bin", "s3cret!" }, "base64" },
		{ { "build.bazel.remote.execution.v2.requestmetadata-bin", "" }, "anyway" },
	};

	for (size_t i = 0; i < RX_COUNT(cases); i++) {
		f.settings.headers = &cases[i].h;
		f.settings.n_headers = 1;
		new_fails(cases[i].why);
	}
}

Test(client, headers_and_metadata_travel_together)
{
	static const struct endpoint_header h[] = { { "X-Test", "value" },
						    { "x-raw-bin", "aGVsbG8" } };
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct wire_metadata m;
	char *raw;

	f.settings.headers = h;
	f.settings.n_headers = 2;
	f.settings.invocation_id = "inv-1";
	f.settings.correlated_id = "cor-1";
	f.settings.tool_version = "1.2";
	client_set_action(fixture_client(&f), "abc", "CppCompile", "//a:b");
	cr_assert(caps_get(fixture_client(&f), &err), "%s", rx_err_text(&err));
	expect_header("x-test", "value");
	expect_header("x-raw-bin", "hello");
	expect_header("authorization", NULL);
	raw = lying_header(f.server, WIRE_METADATA_HEADER);
	cr_assert_not_null(raw);
	cr_assert(wire_metadata_unpack(&a, rx_view_str(raw), &m, &err), "%s", rx_err_text(&err));
	cr_expect_str_eq(m.tool_name, "remex");
	cr_expect_str_eq(m.tool_version, "1.2");
	cr_expect_str_eq(m.invocation_id, "inv-1");
	cr_expect_str_eq(m.correlated_id, "cor-1");
	cr_expect_str_eq(m.action_id, "abc");
	cr_expect_str_eq(m.mnemonic, "CppCompile");
	cr_expect_str_eq(m.target_id, "//a:b");
	free(raw);
	arena_release(&a);
}

static void call_once(void)
{
	struct digest_list missing = { 0 };
	struct rx_err err = { 0 };
	struct digest d;

	digest_of(DIGEST_SHA256, "x", 1, &d);
	cr_assert(cas_find_missing(fixture_client(&f), &d, 1, &missing, &err), "%s",
		  rx_err_text(&err));
	digest_list_release(&missing);
}

Test(client, the_token_is_reread_when_its_file_changes)
{
	char name[] = "/tmp/rx-token-XXXXXX";
	int fd = mkstemp(name);
	struct rx_err err = { 0 };

	cr_assert_eq(write(fd, "first\n", 6), 6);
	f.settings.token_file = name;
	call_once();
	expect_header("authorization", "Bearer first");
	cr_assert(file_write(AT_FDCWD, name, RX_VIEW("second-token\r\n"), 0600, &err));
	call_once();
	expect_header("authorization", "Bearer second-token");
	unlink(name);
	call_once(); /* a moment without the file */
	expect_header("authorization", "Bearer second-token");
	close(fd);
}

Test(client, bad_tokens_are_refused_without_being_shown)
{
	char name[] = "/tmp/rx-token-XXXXXX";
	int fd = mkstemp(name);
	struct rx_err err = { 0 };

	f.settings.token_file = name;
	new_fails("is empty");
	cr_assert_eq(write(fd, "two tokens\n", 11), 11);
	cr_assert_null(client_new(f.loop, f.pool, &f.settings, &err));
	cr_expect_null(strstr(rx_err_text(&err), "two tokens"));
	rx_err_release(&err);
	unlink(name);
	close(fd);
}

Test(client, rule_147_unauthenticated_is_tried_once_with_a_fresh_token)
{
	char name[] = "/tmp/rx-token-XXXXXX";
	int fd = mkstemp(name);
	struct rx_err err = { 0 };

	cr_assert_eq(write(fd, "s3cret\n", 7), 7);
	f.settings.token_file = name;
	lying_tell(f.server, "unauthenticated", 1, 0);
	call_once();
	lying_tell(f.server, "unauthenticated", -1, 0);
	struct digest_list missing = { 0 };
	struct digest d;
	digest_of(DIGEST_SHA256, "x", 1, &d);
	unsigned before = lying_calls(f.server, "FindMissingBlobs");
	cr_assert_not(cas_find_missing(fixture_client(&f), &d, 1, &missing, &err));
	cr_expect_eq(lying_calls(f.server, "FindMissingBlobs") - before, 2);
	cr_expect_eq(err.grpc_status, RPC_UNAUTHENTICATED);
	cr_expect_null(strstr(rx_err_text(&err), "s3cret"));
	rx_err_release(&err);
	unlink(name);
	close(fd);
}

Test(client, rule_147_an_expired_token_may_be_a_denied_permission)
{
	char name[] = "/tmp/rx-token-XXXXXX";
	int fd = mkstemp(name);

	cr_assert_eq(write(fd, "s3cret\n", 7), 7);
	f.settings.token_file = name;
	lying_tell(f.server, "permission-denied", 1, 0);
	call_once();
	unlink(name);
	close(fd);
}

Test(client, without_a_token_unauthenticated_is_final)
{
	struct rx_err err = { 0 };

	lying_tell(f.server, "unauthenticated", -1, 0);
	cr_assert_null(caps_get(fixture_client(&f), &err));
	cr_expect_eq(lying_calls(f.server, "GetCapabilities"), 1);
	cr_expect(err.hint.n > 0);
	rx_err_release(&err);
}

Test(client, rule_146_unavailable_is_tried_again)
{
	struct client_stats stats;

	lying_tell(f.server, "unavailable", 2, 0);
	call_once();
	cr_expect_eq(lying_calls(f.server, "GetCapabilities"), 3);
	client_stats_get(fixture_client(&f), &stats);
	cr_expect_eq(stats.retries, 2);
	cr_expect_eq(stats.calls, 4);
}

Test(client, rule_149_retry_info_is_waited_for)
{
	int64_t before = clock_mono_ns();

	lying_tell(f.server, "unavailable", 1, 700);
	call_once();
	cr_expect(clock_mono_ns() - before >= 700000000, "the server asked for 700 ms");
}

Test(client, errors_name_place_method_code_tries_and_time)
{
	struct rx_err err = { 0 };
	char expect[160];

	f.settings.retries = 1;
	lying_tell(f.server, "unavailable", -1, 0);
	cr_assert_null(caps_get(fixture_client(&f), &err));
	cr_expect_eq(err.code, RX_ERPC);
	cr_expect_eq(err.grpc_status, RPC_UNAVAILABLE);
	(void)snprintf(
		expect, sizeof(expect),
		"%s (instance 'main'): GetCapabilities: UNAVAILABLE: try later (after 2 tries "
		"in ",
		f.url);
	cr_expect(strncmp(rx_err_text(&err), expect, strlen(expect)) == 0, "%s", rx_err_text(&err));
	cr_expect(err.service);
	cr_expect(strstr(rx_buf_str(&err.hint), "listening at unix:///"), "%s",
		  rx_buf_str(&err.hint));
	rx_err_release(&err);
}

/* As seen from bazel-remote behind TLS and from buildbox-casd, which serves given instances. */
Test(client, the_hint_is_about_the_cause)
{
	static const struct {
		int code;
		const char *message, *hint;
	} cases[] = {
		{ RPC_UNAVAILABLE,
		  "cannot connect: TLS handshake failed: certificate verify failed", "--tls-ca" },
		{ RPC_UNAVAILABLE, "cannot connect: Peer name x is not in peer certificate",
		  "--tls-server-name" },
		{ RPC_INVALID_ARGUMENT, "Invalid instance name \"\"", "--instance" },
		{ RPC_NOT_FOUND, "no such instance", "--instance" },
		{ RPC_UNAVAILABLE, "cannot connect: Connection refused", "--remote" },
		{ RPC_UNAUTHENTICATED, "access denied", "--token-file" },
	};

	for (size_t i = 0; i < RX_COUNT(cases); i++) {
		struct rpc_status status = { .code = cases[i].code, .message = cases[i].message };
		struct rx_err err = { 0 };
		struct attempt t;

		attempt_init(&t, fixture_client(&f), CLIENT_CAS, WIRE_CAPABILITIES);
		cr_expect_not(attempt_fail(&t, &status, &err));
		cr_expect(strstr(rx_buf_str(&err.hint), cases[i].hint), "%s: %s", cases[i].message,
			  rx_buf_str(&err.hint));
		rx_err_release(&err);
	}
}

Test(client, a_dead_endpoint_fails_soon)
{
	int64_t before = clock_mono_ns();
	struct rx_err err = { 0 };

	f.settings.remote = "unix:///tmp/rx-nobody-is-here";
	f.settings.retries_set = false;
	cr_assert_null(caps_get(fixture_client(&f), &err));
	cr_expect_eq(err.grpc_status, RPC_UNAVAILABLE, "%s", rx_err_text(&err));
	cr_expect(clock_mono_ns() - before < 20000000000ll);
	rx_err_release(&err);
}

static void *stop_the_program(void *arg)
{
	(void)arg;
	clock_sleep_ms(200);
	rx_cancel_set();
	loop_cancel_all(f.loop);
	return NULL;
}

/* Whatever the client waits for, a stopped program does not wait. */
static void expect_stopped(const char *lie)
{
	int64_t before = clock_mono_ns();
	struct rx_err err = { 0 };
	pthread_t t;

	lying_tell(f.server, lie, -1, 60000);
	cr_assert_eq(pthread_create(&t, NULL, stop_the_program, NULL), 0);
	cr_assert_null(caps_get(fixture_client(&f), &err));
	cr_expect_eq(err.code, RX_ECANCEL, "%s", rx_err_text(&err));
	cr_expect(clock_mono_ns() - before < 10000000000ll);
	pthread_join(t, NULL);
	rx_err_release(&err);
}

Test(client, stopping_the_program_ends_a_call)
{
	expect_stopped("hang");
}

Test(client, stopping_the_program_ends_a_wait_between_tries)
{
	expect_stopped("unavailable");
}

Test(client, rule_149_a_server_that_asks_for_hours_is_not_waited_for)
{
	struct rx_err err = { 0 };

	lying_tell(f.server, "unavailable", -1, 3600000);
	cr_assert_null(caps_get(fixture_client(&f), &err));
	cr_expect_eq(err.grpc_status, RPC_UNAVAILABLE);
	cr_expect_eq(lying_calls(f.server, "GetCapabilities"), 1);
	rx_err_release(&err);
}

Test(client, a_call_that_hangs_ends_by_its_timeout)
{
	struct rx_err err = { 0 };

	f.settings.rpc_timeout_ms = 200;
	f.settings.retries = 1;
	lying_tell(f.server, "hang", -1, 0);
	cr_assert_null(caps_get(fixture_client(&f), &err));
	cr_expect_eq(err.grpc_status, RPC_DEADLINE_EXCEEDED, "%s", rx_err_text(&err));
	cr_expect_eq(lying_calls(f.server, "GetCapabilities"), 2);
	rx_err_release(&err);
}

Test(client, roles_may_have_their_own_endpoints)
{
	struct fixture g;
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct digest d;
	struct result r;
	bool hit = true;

	fixture_start(&g);
	f.settings.ac = g.url;
	digest_of(DIGEST_SHA256, "x", 1, &d);
	cr_assert(ac_get(fixture_client(&f), &d, NULL, &a, &hit, &r, &err), "%s",
		  rx_err_text(&err));
	cr_expect_not(hit);
	cr_expect_eq(lying_calls(g.server, "GetActionResult"), 1);
	cr_expect_eq(lying_calls(f.server, "GetActionResult"), 0);
	cr_expect_str_eq(client_display(f.client, CLIENT_AC), g.url);
	arena_release(&a);
	client_free(f.client);
	f.client = NULL;
	fixture_stop(&g);
}

Test(caps, asked_once)
{
	struct rx_err err = { 0 };
	const struct caps *caps = caps_get(fixture_client(&f), &err);

	cr_assert(caps, "%s", rx_err_text(&err));
	cr_expect_eq(caps_get(f.client, &err), caps);
	cr_expect_eq(caps_get_role(f.client, CLIENT_EXECUTOR, &err), caps);
	cr_expect_eq(lying_calls(f.server, "GetCapabilities"), 1);
	cr_expect_eq(caps->api_major, 2);
	cr_expect_eq(caps->api_minor, 11);
	cr_expect_eq(caps->max_batch, 4 << 20);
	cr_expect_eq(caps->function, DIGEST_SHA256);
	cr_expect(caps->can_execute && caps->can_update_ac && !caps->needs_old_outputs);
	cr_expect_null(caps->warning);
	cr_expect_eq(client_function(f.client), DIGEST_SHA256);
}

Test(caps, rule_36_asked_first_and_with_the_instance)
{
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct digest d;
	struct result r;
	bool hit;

	f.settings.instance = "team/a";
	digest_of(DIGEST_SHA256, "action", 6, &d);
	lying_tell(f.server, "unauthenticated@GetCapabilities", -1, 0);
	cr_assert_not(ac_get(fixture_client(&f), &d, NULL, &a, &hit, &r, &err));
	cr_expect_eq(lying_calls(f.server, "GetActionResult"), 0, "nothing goes before it");
	rx_err_reset(&err);
	lying_tell(f.server, "unauthenticated", 0, 0);
	cr_assert(ac_get(f.client, &d, NULL, &a, &hit, &r, &err), "%s", rx_err_text(&err));
	cr_expect_eq(lying_calls(f.server, "GetCapabilities"), 2);
	cr_expect_str_eq(lying_instance(f.server), "team/a");
	rx_err_release(&err);
	arena_release(&a);
}

static const struct caps *caps_of(const char *lie, struct rx_err *err)
{
	cr_assert(lying_tell(f.server, lie, -1, 0));
	return caps_get(fixture_client(&f), err);
}

Test(caps, rule_56_no_service_means_assumptions)
{
	struct rx_err err = { 0 };
	const struct caps *caps = caps_of("no-capabilities", &err);

	cr_assert(caps, "%s", rx_err_text(&err));
	cr_expect(caps->assumed);
	cr_expect_eq(caps->api_minor, 0);
	cr_expect_eq(caps->function, DIGEST_SHA256);
	cr_expect_eq(caps->max_batch, 0);
	cr_expect(caps->can_execute && caps->needs_old_outputs);
}

Test(caps, rule_131_below_2_1_needs_old_outputs)
{
	struct rx_err err = { 0 };
	const struct caps *caps = caps_of("caps-2.0", &err);

	cr_assert(caps);
	cr_expect(caps->needs_old_outputs);
}

Test(caps, rule_39_no_versions_mean_2_0)
{
	struct rx_err err = { 0 };
	const struct caps *caps = caps_of("caps-no-version", &err);

	cr_assert(caps, "%s", rx_err_text(&err));
	cr_expect_eq(caps->api_major, 2);
	cr_expect_eq(caps->api_minor, 0);
}

Test(caps, rule_39_outside_the_window_stops)
{
	struct rx_err err = { 0 };

	cr_assert_null(caps_of("caps-3.0", &err));
	cr_expect(strstr(rx_err_text(&err), "3.0 to 3.0"), "%s", rx_err_text(&err));
	cr_expect(strstr(rx_err_text(&err), "2.0 to 2.12"), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

Test(caps, rule_39_deprecated_warns_and_goes_on)
{
	struct rx_err err = { 0 };
	const struct caps *caps = caps_of("caps-deprecated", &err);

	cr_assert(caps, "%s", rx_err_text(&err));
	cr_expect_eq(caps->api_minor, 12);
	cr_expect(caps->warning && strstr(caps->warning, "2.20"), "%s", caps->warning);
}

Test(caps, rule_41_function_is_one_that_is_offered)
{
	struct rx_err err = { 0 };
	const struct caps *caps = caps_of("caps-sha1", &err);

	cr_assert(caps, "%s", rx_err_text(&err));
	cr_expect_eq(caps->function, DIGEST_SHA1, "sha512 is not for execution");
}

Test(caps, rule_41_a_function_that_is_not_offered_is_refused)
{
	struct rx_err err = { 0 };

	f.settings.function = DIGEST_SHA256;
	cr_assert_null(caps_of("caps-sha1", &err));
	cr_expect_eq(err.code, RX_EUSAGE);
	cr_expect(strstr(rx_err_text(&err), "does not offer digest function sha256"), "%s",
		  rx_err_text(&err));
	cr_expect(strstr(rx_err_text(&err), "sha1"), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

Test(caps, rule_42_execution_off)
{
	struct rx_err err = { 0 };
	const struct caps *caps = caps_of("no-execution", &err);

	cr_assert(caps);
	cr_expect_not(caps->can_execute);
}

Test(caps, garbage_is_refused)
{
	struct rx_err err = { 0 };

	cr_assert_null(caps_of("bad-protobuf", &err));
	cr_expect_eq(err.code, RX_EPARSE);
	cr_expect(strstr(rx_err_text(&err), "GetCapabilities"), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

static struct result some_result(struct result_output *o)
{
	*o = (struct result_output){ .path = "out",
				     .kind = NODE_FILE,
				     .contents = RX_VIEW("output\n") };
	digest_of(DIGEST_SHA256, "output\n", 7, &o->digest);
	return (struct result){
		.outputs = o, .n_outputs = 1, .exit_code = 3, .stdout_raw = RX_VIEW("raw")
	};
}

Test(ac, rule_102_a_miss_is_a_result_and_not_tried_again)
{
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct digest d;
	struct result r;
	bool hit = true;

	digest_of(DIGEST_SHA256, "action", 6, &d);
	cr_assert(ac_get(fixture_client(&f), &d, NULL, &a, &hit, &r, &err), "%s",
		  rx_err_text(&err));
	cr_expect_not(hit);
	cr_expect_eq(lying_calls(f.server, "GetActionResult"), 1);
	arena_release(&a);
}

Test(ac, rule_106_put_and_get_without_inlined_bytes)
{
	struct result_output o;
	struct result r = some_result(&o), got;
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct digest d;
	bool hit = false, stored = false;

	digest_of(DIGEST_SHA256, "action", 6, &d);
	cr_assert(ac_put(fixture_client(&f), &d, &r, &stored, &err), "%s", rx_err_text(&err));
	cr_expect(stored);
	cr_assert(ac_get(f.client, &d, NULL, &a, &hit, &got, &err), "%s", rx_err_text(&err));
	cr_assert(hit);
	cr_expect_eq(got.exit_code, 3);
	cr_expect_eq(got.stdout_raw.n, 0);
	cr_assert_eq(got.n_outputs, 1);
	cr_expect_eq(got.outputs[0].contents.n, 0);
	cr_expect(digest_eq(&got.outputs[0].digest, &o.digest));
	arena_release(&a);
}

Test(ac, rule_108_read_only_is_a_note)
{
	struct result_output o;
	struct result r = some_result(&o);
	struct rx_err err = { 0 };
	struct digest d;
	bool stored = true;

	digest_of(DIGEST_SHA256, "action", 6, &d);
	lying_tell(f.server, "read-only-ac", -1, 0);
	cr_assert(ac_put(fixture_client(&f), &d, &r, &stored, &err), "%s", rx_err_text(&err));
	cr_expect_not(stored);
	cr_expect_eq(lying_calls(f.server, "UpdateActionResult"), 1);
}

Test(ac, rule_43_is_not_asked_when_it_says_no)
{
	struct result_output o;
	struct result r = some_result(&o);
	struct rx_err err = { 0 };
	struct digest d;
	bool stored = true;

	digest_of(DIGEST_SHA256, "action", 6, &d);
	lying_tell(f.server, "no-ac-update", -1, 0);
	cr_assert(ac_put(fixture_client(&f), &d, &r, &stored, &err));
	cr_expect_not(stored);
	cr_expect_eq(lying_calls(f.server, "UpdateActionResult"), 0);
}

Test(ac, rule_105_the_server_may_store_another_result)
{
	struct result_output o;
	struct result r = some_result(&o);
	struct rx_err err = { 0 };
	struct digest d;
	bool stored = false;

	digest_of(DIGEST_SHA256, "action", 6, &d);
	lying_tell(f.server, "other-result", -1, 0);
	cr_assert(ac_put(fixture_client(&f), &d, &r, &stored, &err), "%s", rx_err_text(&err));
	cr_expect(stored);
}
