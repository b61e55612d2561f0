/* endpoint: parses URLs of servers and says precisely what is wrong with one. */
#include "endpoint.h"

#include <arpa/inet.h>

#define HOST_MAX 253 /* DNS */
#define UNIX_MAX 107 /* sun_path without its NUL */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The URL as messages may show it: a part before '@' becomes "***". */
static void endpoint_add_safe(struct rx_buf *out, const char *url)
{
	const char *scheme = strstr(url, "://");
	const char *start = scheme ? scheme + 3 : url;
	const char *at = strrchr(start, '@');

	rx_buf_add(out, url, (size_t)(start - url));
	if (at) {
		rx_buf_add_str(out, "***");
		start = at;
	}
	rx_buf_add_str(out, start);
}

static bool bad(struct rx_err *err, const char *url, const char *why)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf safe = { .max = 512 };

	endpoint_add_safe(&safe, url);
	return rx_fail(err, RX_EUSAGE, "'%s' is not an endpoint: %s", rx_buf_str(&safe), why);
}

/* gRPC reads targets as URIs, so bytes that mean something there are escaped. */
static void add_uri_path(struct rx_buf *out, const char *path)
{
	for (; *path; path++) {
		if (is_alnum(*path) || strchr("-._~/!$&'()*+,;=:@", *path))
			rx_buf_add_char(out, *path);
		else
			rx_buf_addf(out, "%%%02X", (unsigned char)*path);
	}
}

static bool parse_unix(const char *url, const char *path, struct endpoint *out, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf target = { 0 };

	if (*path != '/')
		return bad(err, url, "a socket's path is absolute: unix:///path/to/socket");
	if (!path[1])
		return bad(err, url, "the socket's path is empty");
	if (strlen(path) > UNIX_MAX)
		return bad(err, url, "a socket's path has at most 107 bytes");
	rx_buf_add_str(&target, "unix:");
	add_uri_path(&target, path);
	*out = (struct endpoint){ .scheme = ENDPOINT_UNIX,
				  .target = rx_buf_take(&target),
				  .display = xasprintf("unix://%s", path) };
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "us%40er:pass" with its escapes undone; NULL when one is malformed or gives a control character.
 */
static char *decode_user_info(struct rx_view v)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };

	for (size_t i = 0; i < v.n; i++) {
		int c = (unsigned char)v.p[i];

		if (c == '%') {
			if (v.n - i < 3)
				return NULL;
			int hi = hex_value(v.p[i + 1]), lo = hex_value(v.p[i + 2]);
			if (hi < 0 || lo < 0)
				return NULL;
			c = hi * 16 + lo;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return NULL;
		rx_buf_add_char(&b, (char)c);
	}
	return b.full ? NULL : rx_buf_take(&b);
}

static bool parse_port(const char *url, struct rx_view v, unsigned *out, struct rx_err *err)
{
	unsigned port = 0;

	if (!v.n)
		return bad(err, url, "there is no port after ':'");
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return bad(err, url, "the port is not a number");
		port = port * 10 + (unsigned)(v.p[i] - '0');
		if (port > 65535)
			return bad(err, url, "a port is at most 65535");
	}
	if (!port)
		return bad(err, url, "port 0 is not a port");
	*out = port;
	return true;
}

static bool check_ipv6(const char *url, struct rx_view v, struct rx_err *err)
{
	char text[INET6_ADDRSTRLEN + 1];
	struct in6_addr addr;

	if (v.n >= sizeof(text))
		return bad(err, url, "not an IPv6 address in the brackets");
	memcpy(text, v.p, v.n);
	text[v.n] = 0;
	if (strlen(text) != v.n || inet_pton(AF_INET6, text, &addr) != 1)
		return bad(err, url, "not an IPv6 address in the brackets");
	return true;
}

static bool check_host(const char *url, struct rx_view v, struct rx_err *err)
{
	if (!v.n)
		return bad(err, url, "the host is empty");
	if (v.n > HOST_MAX)
		return bad(err, url, "a host name has at most 253 characters");
	for (size_t i = 0; i < v.n; i++) {
		if (!is_alnum(v.p[i]) && !strchr("-._", v.p[i]))
			return bad(err, url,
				   "a host name has letters, digits, '-', '.' and '_' only");
	}
	return true;
}

/* A host with the name of one of gRPC's own schemes would be read as that scheme. */
static bool is_grpc_scheme(struct rx_view host)
{
	static const char *const names[] = { "dns",  "unix",  "unix-abstract", "ipv4",
					     "ipv6", "vsock", "xds",           "google-c2p" };

	for (size_t i = 0; i < RX_COUNT(names); i++) {
		if (rx_view_eq_str(host, names[i]))
			return true;
	}
	return false;
}

static bool parse_host(const char *url, const char *rest, bool tls, struct endpoint *out,
		       struct rx_err *err)
{
	size_t n = strcspn(rest, "/?#");
	struct rx_view auth = { rest, n }, host, port = { 0 };
	RX_CLEANUP(xfreep) char *user_info = NULL;
	const char *at = memrchr(rest, '@', n);
	unsigned number = 443;

	if (rest[n] && strcmp(rest + n, "/") != 0)
		return bad(err, url,
			   strchr(rest + n, '@')
				   ? "write '/', '?' and '#' in user info as %2F, %3F, %23"
				   : "nothing may follow host and port; the instance name has "
				     "an option of its own");
	if (at) {
		user_info = decode_user_info((struct rx_view){ rest, (size_t)(at - rest) });
		if (!user_info)
			return bad(err, url, "the part before '@' has a bad % escape");
		if (!*user_info)
			return bad(err, url, "the part before '@' is empty");
		auth = (struct rx_view){ at + 1, n - (size_t)(at + 1 - rest) };
	}
	if (auth.n && auth.p[0] == '[') {
		const char *close = memchr(auth.p, ']', auth.n);

		if (!close)
			return bad(err, url, "']' is missing after an IPv6 address");
		host = (struct rx_view){ auth.p, (size_t)(close + 1 - auth.p) };
		if (!check_ipv6(url, (struct rx_view){ host.p + 1, host.n - 2 }, err))
			return false;
		port = (struct rx_view){ close + 1, auth.n - host.n };
		if (port.n && port.p[0] != ':')
			return bad(err, url, "only ':' and a port may follow ']'");
	} else {
		const char *colon = memchr(auth.p, ':', auth.n);

		host = (struct rx_view){ auth.p, colon ? (size_t)(colon - auth.p) : auth.n };
		if (colon && memchr(colon + 1, ':', auth.n - host.n - 1))
			return bad(err, url, "an IPv6 address goes in brackets: [::1]:port");
		if (!check_host(url, host, err))
			return false;
		port = (struct rx_view){ auth.p + host.n, auth.n - host.n };
	}
	if (port.n) {
		if (!parse_port(url, (struct rx_view){ port.p + 1, port.n - 1 }, &number, err))
			return false;
	} else if (!tls) {
		return bad(err, url, "there is no port: write grpc://HOST:PORT (grpcs:// has 443)");
	}
	*out = (struct endpoint){
		.scheme = tls ? ENDPOINT_GRPCS : ENDPOINT_GRPC,
		.target = xasprintf("%s%.*s:%u", is_grpc_scheme(host) ? "dns:///" : "", (int)host.n,
				    host.p, number),
		.display = xasprintf("%s://%.*s:%u", tls ? "grpcs" : "grpc", (int)host.n, host.p,
				     number),
		.user_info = user_info,
	};
	user_info = NULL;
	return true;
}

bool endpoint_parse(const char *url, struct endpoint *out, struct rx_err *err)
{
	const char *sep = strstr(url, "://");
	struct rx_view scheme = { url, sep ? (size_t)(sep - url) : 0 };

	if (!*url)
		return rx_fail(err, RX_EUSAGE, "an endpoint is empty");
	for (const char *p = url; *p; p++) {
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return rx_fail(err, RX_EUSAGE,
				       "an endpoint holds a space or control character");
	}
	if (strcmp(url, "embedded") == 0) {
		*out = (struct endpoint){ .scheme = ENDPOINT_EMBEDDED,
					  .display = xstrdup("embedded") };
		return true;
	}
	if (!sep) {
		if (strncmp(url, "unix:", 5) == 0)
			return bad(err, url, "write unix:///path/to/socket");
		return parse_host(url, url, false, out, err);
	}
	if (rx_view_eq_str(scheme, "unix"))
		return parse_unix(url, sep + 3, out, err);
	if (rx_view_eq_str(scheme, "grpc"))
		return parse_host(url, sep + 3, false, out, err);
	if (rx_view_eq_str(scheme, "grpcs"))
		return parse_host(url, sep + 3, true, out, err);
	return bad(err, url, "unknown scheme; there are grpc://, grpcs:// and unix://");
}

void endpoint_release(struct endpoint *e)
{
	if (!e)
		return;
	free(e->target);
	free(e->display);
	if (e->user_info)
		explicit_bzero(e->user_info, strlen(e->user_info));
	free(e->user_info);
	*e = (struct endpoint){ 0 };
}

bool endpoint_is_local(const struct endpoint *e)
{
	size_t n;
	char host[INET_ADDRSTRLEN];
	struct in_addr addr;

	if (e->scheme == ENDPOINT_UNIX || e->scheme == ENDPOINT_EMBEDDED)
		return true;
	n = (size_t)(strrchr(e->target, ':') - e->target);
	if (n == 9 && memcmp(e->target, "localhost", n) == 0)
		return true;
	if (n == 5 && memcmp(e->target, "[::1]", n) == 0)
		return true;
	if (n >= sizeof(host))
		return false;
	memcpy(host, e->target, n);
	host[n] = 0;
	return inet_pton(AF_INET, host, &addr) == 1 && ntohl(addr.s_addr) >> 24 == 127;
}
