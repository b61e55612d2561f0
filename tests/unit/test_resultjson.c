/* test_resultjson: action results as JSON and back. */
#include <criterion/criterion.h>

#include "resultjson.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0"
#define HI    "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4/3"

static void refuse(const char *text, const char *says)
{
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct result r;

	cr_assert_not(resultjson_read(&a, "r.json", rx_view_str(text), &r, &err), "%s", text);
	cr_assert_eq(err.code, RX_EPARSE, "%s", rx_err_text(&err));
	cr_assert(strstr(rx_err_text(&err), says), "'%s' is not in '%s'", says, rx_err_text(&err));
	rx_err_release(&err);
	arena_release(&a);
}

Test(resultjson, what_is_written_is_read_back)
{
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct digest hi, empty;
	struct rx_buf text = { 0 };
	struct json j = { .out = &text };
	struct result back;

	digest_of(DIGEST_SHA256, "hi\n", 3, &hi);
	digest_empty(DIGEST_SHA256, &empty);
	struct result_output outputs[] = {
		{ .path = "a", .kind = NODE_FILE, .digest = hi, .is_executable = true },
		{ .path = "b/c", .kind = NODE_DIRECTORY, .digest = empty, .tree_digest = hi },
		{ .path = "d", .kind = NODE_SYMLINK, .target = "../x" },
	};
	struct result r = { .outputs = outputs, .n_outputs = 3, .stdout_digest = hi };

	json_object(&j);
	json_kv_int(&j, "exit_code", -1);
	resultjson_add(&j, &r);
	resultjson_add_text(&j, "stderr", RX_VIEW("\xff\0\x01q"));
	json_end(&j, '}');
	cr_assert(resultjson_read(&a, "r.json", rx_view_of(&text), &back, &err), "%s",
		  rx_err_text(&err));
	cr_assert_eq(back.exit_code, -1);
	cr_assert_eq(back.n_outputs, 3);
	cr_assert(digest_eq(&back.outputs[0].digest, &hi));
	cr_assert(back.outputs[0].is_executable);
	cr_assert(digest_eq(&back.outputs[1].tree_digest, &hi));
	cr_assert_str_eq(back.outputs[2].target, "../x");
	cr_assert(digest_eq(&back.stdout_digest, &hi));
	cr_assert_not(digest_is_set(&back.stderr_digest));
	cr_assert(rx_view_eq(back.stderr_raw, RX_VIEW("\xff\0\x01q")));
	rx_buf_release(&text);
	arena_release(&a);
}

Test(resultjson, text_of_every_length_survives_base64)
{
	for (size_t n = 1; n < 8; n++) {
		struct rx_err err = { 0 };
		struct arena a = { 0 };
		struct rx_buf text = { 0 };
		struct json j = { .out = &text };
		struct result back;

		json_object(&j);
		json_kv_int(&j, "exit_code", 0);
		resultjson_add_text(&j, "stdout", (struct rx_view){ "\xff\xfe\xfd\0\1\2\3", n });
		json_end(&j, '}');
		cr_assert(strstr(rx_buf_str(&text), "stdout_base64"));
		cr_assert(resultjson_read(&a, "r", rx_view_of(&text), &back, &err), "%s",
			  rx_err_text(&err));
		cr_assert(
			rx_view_eq(back.stdout_raw, (struct rx_view){ "\xff\xfe\xfd\0\1\2\3", n }));
		rx_buf_release(&text);
		arena_release(&a);
	}
}

Test(resultjson, mistakes_name_the_field)
{
	refuse("[]", "expected an object");
	refuse("{}", "'exit_code' is missing");
	refuse("{\"exit_code\":1.5}", "'exit_code' is missing or no number");
	refuse("{\"exit_code\":99999999999}", "'exit_code' is missing or no number");
	refuse("{\"exit_code\":0,\"outputs\":{}}", "'outputs' is not a list");
	refuse("{\"exit_code\":0,\"outputs\":[1]}", "outputs[0]: 'path'");
	refuse("{\"exit_code\":0,\"stdout_digest\":1}", "'stdout_digest' is not text");
	refuse("{\"exit_code\":0,\"stdout_digest\":\"x/1\"}", "'stdout_digest'");
	refuse("{\"exit_code\":0,\"stdout_base64\":\"a=b=\"}", "not base64");
	refuse("{\"exit_code\":0,\"stdout_base64\":\"abc\"}", "not base64");
	refuse("{\"exit_code\":0,\"stdout\":7}", "'stdout' is not text");
}

Test(resultjson, outputs_must_make_sense)
{
	refuse("{\"exit_code\":0,\"outputs\":[{\"path\":\"../a\",\"kind\":\"file\"}]}", "'path'");
	refuse("{\"exit_code\":0,\"outputs\":[{\"path\":\"/a\",\"kind\":\"file\"}]}", "'path'");
	refuse("{\"exit_code\":0,\"outputs\":[{\"path\":\"a\\u0000b\",\"kind\":\"file\"}]}",
	       "'path'");
	refuse("{\"exit_code\":0,\"outputs\":[{\"path\":\"a\",\"kind\":\"pipe\"}]}", "'kind'");
	refuse("{\"exit_code\":0,\"outputs\":[{\"path\":\"a\",\"kind\":\"file\"}]}",
	       "without 'digest'");
	refuse("{\"exit_code\":0,\"outputs\":[{\"path\":\"a\",\"kind\":\"symlink\"}]}",
	       "without 'target'");
	refuse("{\"exit_code\":0,\"outputs\":[{\"path\":\"a\",\"kind\":\"directory\"}]}",
	       "without 'digest'");
	refuse("{\"exit_code\":0,\"outputs\":["
	       "{\"path\":\"a\",\"kind\":\"file\",\"digest\":\"" HI "\"},"
	       "{\"path\":\"a\",\"kind\":\"file\",\"digest\":\"" EMPTY "\"}]}",
	       "occurs twice");
}

/* exec keeps the beginning of long output: half a text must not become the cached output. */
Test(resultjson, text_that_is_not_what_its_digest_says_is_left_out)
{
	struct rx_err err = { 0 };
	struct arena a = { 0 };
	struct result r;

	cr_assert(resultjson_read(&a, "r",
				  RX_VIEW("{\"exit_code\":0,\"stdout\":\"hi\\n\",\"stdout_digest\":"
					  "\"" HI "\",\"stderr\":\"h\",\"stderr_digest\":\"" HI
					  "\"}"),
				  &r, &err),
		  "%s", rx_err_text(&err));
	cr_assert(rx_view_eq(r.stdout_raw, RX_VIEW("hi\n")));
	cr_assert_eq(r.stderr_raw.n, 0);
	cr_assert(digest_is_set(&r.stderr_digest));
	arena_release(&a);
}
