/* test_endpoint: URLs of servers, good ones and each way to be wrong. */
#include <criterion/criterion.h>

#include "endpoint.h"

static void good(const char *url, enum endpoint_scheme scheme, const char *target,
		 const char *display, const char *user)
{
	struct endpoint e = { 0 };
	struct rx_err err = { 0 };

	cr_assert(endpoint_parse(url, &e, &err), "%s: %s", url, rx_err_text(&err));
	cr_expect(e.scheme == scheme, "%s", url);
	if (target)
		cr_expect_str_eq(e.target, target);
	cr_expect_str_eq(e.display, display);
	if (user)
		cr_expect_str_eq(e.user_info, user);
	else
		cr_expect_null(e.user_info);
	endpoint_release(&e);
}

Test(endpoint, parses_each_scheme)
{
	good("grpc://localhost:8980", ENDPOINT_GRPC, "localhost:8980", "grpc://localhost:8980",
	     NULL);
	good("grpcs://cache.example", ENDPOINT_GRPCS, "cache.example:443",
	     "grpcs://cache.example:443", NULL);
	good("grpcs://cache.example:8443/", ENDPOINT_GRPCS, "cache.example:8443",
	     "grpcs://cache.example:8443", NULL);
	good("host-1.x_y:80", ENDPOINT_GRPC, "host-1.x_y:80", "grpc://host-1.x_y:80", NULL);
	good("unix:///run/a.sock", ENDPOINT_UNIX, "unix:/run/a.sock", "unix:///run/a.sock", NULL);
	good("embedded", ENDPOINT_EMBEDDED, NULL, "embedded", NULL);
}

Test(endpoint, takes_ipv6_in_brackets)
{
	good("grpc://[::1]:80", ENDPOINT_GRPC, "[::1]:80", "grpc://[::1]:80", NULL);
	good("grpcs://[2001:db8::2]", ENDPOINT_GRPCS, "[2001:db8::2]:443",
	     "grpcs://[2001:db8::2]:443", NULL);
}

Test(endpoint, keeps_user_info_out_of_display)
{
	good("grpc://me:s3cret@h:80", ENDPOINT_GRPC, "h:80", "grpc://h:80", "me:s3cret");
	good("grpcs://a%40b:p%2Fw@h", ENDPOINT_GRPCS, "h:443", "grpcs://h:443", "a@b:p/w");
}

Test(endpoint, escapes_what_grpc_would_read_as_uri)
{
	good("unix:///run/a%b#c?d", ENDPOINT_UNIX, "unix:/run/a%25b%23c%3Fd", "unix:///run/a%b#c?d",
	     NULL);
}

Test(endpoint, host_named_like_a_grpc_scheme_is_a_host)
{
	good("grpc://dns:80", ENDPOINT_GRPC, "dns:///dns:80", "grpc://dns:80", NULL);
	good("grpc://unix:80", ENDPOINT_GRPC, "dns:///unix:80", "grpc://unix:80", NULL);
}

static void bad(const char *url, const char *why)
{
	struct endpoint e = { .target = (char *)"untouched" };
	struct rx_err err = { 0 };

	cr_assert(!endpoint_parse(url, &e, &err), "%s", url);
	cr_expect(err.code == RX_EUSAGE);
	cr_expect(strstr(rx_err_text(&err), why), "'%s' should say '%s'", rx_err_text(&err), why);
	cr_expect_null(strstr(rx_err_text(&err), "s3cret"), "%s", rx_err_text(&err));
	cr_expect_str_eq(e.target, "untouched");
	rx_err_release(&err);
}

Test(endpoint, says_what_is_wrong)
{
	static const struct {
		const char *url, *why;
	} cases[] = {
		{ "", "empty" },
		{ "http://h:80", "unknown scheme" },
		{ "://h:80", "unknown scheme" },
		{ "grpc://h", "no port" },
		{ "host", "no port" },
		{ "grpc://h:", "no port after" },
		{ "grpc://h:http", "not a number" },
		{ "grpc://h:65536", "at most 65535" },
		{ "grpc://h:99999999999999999999", "at most 65535" },
		{ "grpc://h:0", "port 0" },
		{ "grpc://h:-1", "not a number" },
		{ "grpc://:80", "host is empty" },
		{ "grpc://", "host is empty" },
		{ "grpc://h:80/main", "nothing may follow" },
		{ "grpc://h:80?x", "nothing may follow" },
		{ "grpc://::1:80", "brackets" },
		{ "grpc://[::1", "']' is missing" },
		{ "grpc://[::1]80", "only ':'" },
		{ "grpc://[h]:80", "IPv6" },
		{ "grpc://h o:80", "space" },
		{ "grpc://h\n:80", "control" },
		{ "grpc://h*:80", "letters" },
		{ "unix://rel/path", "absolute" },
		{ "unix:///", "empty" },
		{ "unix:rel", "unix:///" },
		{ "grpc://me:s3cret@:80", "host is empty" },
		{ "grpc://me:s3cret@h:80/x", "nothing may follow" },
		{ "grpc://me:s3cret%4@h:80", "escape" },
		{ "grpc://me:s3cret%00@h:80", "escape" },
		{ "grpc://me:s3/cret@h:80", "%2F" },
		{ "grpc://@h:80", "is empty" },
		{ "ftp://me:s3cret@h:80", "unknown scheme" },
	};

	for (size_t i = 0; i < RX_COUNT(cases); i++)
		bad(cases[i].url, cases[i].why);
}

Test(endpoint, limits_of_socket_paths_and_hosts)
{
	char url[400] = "unix:///";
	struct endpoint e = { 0 };
	struct rx_err err = { 0 };

	memset(url + 8, 'a', 106); /* with the slash: 107 */
	url[8 + 106] = 0;
	cr_assert(endpoint_parse(url, &e, &err), "%s", rx_err_text(&err));
	endpoint_release(&e);
	url[8 + 106] = 'a';
	url[8 + 107] = 0;
	bad(url, "107");

	memcpy(url, "grpcs://", 8);
	memset(url + 8, 'h', 254);
	url[8 + 254] = 0;
	bad(url, "253");
}

Test(endpoint, tells_what_stays_on_this_machine)
{
	static const struct {
		const char *url;
		bool local;
	} cases[] = {
		{ "grpc://localhost:80", true },
		{ "grpc://127.0.0.1:80", true },
		{ "grpc://127.9.9.9:80", true },
		{ "grpc://[::1]:80", true },
		{ "unix:///x", true },
		{ "grpc://10.0.0.1:80", false },
		{ "grpc://127.evil.com:80", false },
		{ "grpc://localhost.x:80", false },
	};

	for (size_t i = 0; i < RX_COUNT(cases); i++) {
		struct endpoint e = { 0 };
		struct rx_err err = { 0 };

		cr_assert(endpoint_parse(cases[i].url, &e, &err));
		cr_expect(endpoint_is_local(&e) == cases[i].local, "%s", cases[i].url);
		endpoint_release(&e);
	}
}
