/* client_headers: header rules, the token file and RequestMetadata. */
#include "client_headers.h"

#include <fcntl.h>

#include "file.h"
#include "log.h"
#include "wire_status.h"

#define TOKEN_MAX   65536
#define HEADERS_MAX 256

void client_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *client_basic(const char *user_info)
{
	size_t n = strlen(user_info);
	struct rx_buf b = { 0 };

	rx_buf_add_str(&b, "Basic ");
	for (size_t i = 0; i < n; i += 3) {
		size_t have = RX_MIN(n - i, (size_t)3);
		unsigned v = (unsigned)(unsigned char)user_info[i] << 16;

		if (have > 1)
			v |= (unsigned)(unsigned char)user_info[i + 1] << 8;
		if (have > 2)
			v |= (unsigned)(unsigned char)user_info[i + 2];
		rx_buf_add_char(&b, base64_digits[v >> 18 & 63]);
		rx_buf_add_char(&b, base64_digits[v >> 12 & 63]);
		rx_buf_add_char(&b, have > 1 ? base64_digits[v >> 6 & 63] : '=');
		rx_buf_add_char(&b, have > 2 ? base64_digits[v & 63] : '=');
	}
	return rx_buf_take(&b);
}

/* Padding is optional, as in gRPC. False on anything that is not base64. */
static bool base64_decode(const char *s, struct rx_buf *out)
{
	size_t n = strlen(s);
	unsigned bits = 0, value = 0;

	while (n && s[n - 1] == '=' && strlen(s) - n < 2)
		n--;
	if (n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *d = s[i] ? strchr(base64_digits, s[i]) : NULL;

		if (!d)
			return false;
		value = (value << 6 | (unsigned)(d - base64_digits)) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			rx_buf_add_char(out, (char)(value >> bits & 0xff));
		}
	}
	return !out->full;
}

static bool set_header(struct client_header *to, const struct endpoint_header *h,
		       struct rx_err *err)
{
	RX_CLEANUP(xfreep) char *name = xstrdup(h->name);
	RX_CLEANUP(rx_buf_release) struct rx_buf raw = { 0 };
	size_t n = strlen(name);

	if (!n)
		return rx_fail(err, RX_EUSAGE, "a header has no name: write NAME=VALUE");
	for (char *p = name; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && !strchr("-_.", *p))
			/* "Authorization: Bearer c2VjcmV0Cg==" as curl has it: no more of it is
			 * shown. */
			return rx_fail(
				err, RX_EUSAGE,
				"header '%.*s': a name has letters, digits, '-', '_' and '.' only; "
				"write NAME=VALUE",
				(int)strcspn(name, ": \t"), name);
	}
	if (strncmp(name, "grpc-", 5) == 0)
		return rx_fail(err, RX_EUSAGE, "header '%s': names with grpc- are gRPC's own",
			       name);
	if (strcmp(name, WIRE_METADATA_HEADER) == 0)
		return rx_fail(err, RX_EUSAGE, "header '%s' is sent anyway", name);
	if (n > 4 && strcmp(name + n - 4, "-bin") == 0) {
		if (!base64_decode(h->value, &raw))
			return rx_fail(err, RX_EUSAGE,
				       "header '%s': the value of a -bin header is base64", name);
	} else {
		for (const char *p = h->value; *p; p++) {
			if (*p < 0x20 || *p > 0x7e)
				return rx_fail(err, RX_EUSAGE,
					       "header '%s': the value holds a byte that is not "
					       "printable ASCII",
					       name);
		}
		rx_buf_add_str(&raw, h->value);
	}
	if (raw.full)
		return rx_fail(err, RX_EUSAGE, "header '%s': the value is too long", name);
	to->name = xstrdup(name);
	to->value_len = raw.n;
	to->value = rx_buf_take(&raw);
	return true;
}

bool client_headers_set(struct client *c, const struct endpoint_header *h, size_t n,
			struct rx_err *err)
{
	if (n > HEADERS_MAX)
		return rx_fail(err, RX_EUSAGE, "there are %zu headers, at most %d are sent", n,
			       HEADERS_MAX);
	c->headers = xcalloc(n + 1, sizeof(*c->headers));
	for (size_t i = 0; i < n; i++) {
		if (!set_header(&c->headers[c->n_headers], &h[i], err))
			return false;
		if (strcmp(c->headers[c->n_headers].name, "authorization") == 0)
			c->has_authorization = true;
		c->n_headers++;
	}
	return true;
}

/* Under c->lock. */
static bool read_token(struct client *c, const struct stat *st, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { .max = TOKEN_MAX };
	struct rx_buf bearer = { .max = TOKEN_MAX + 16 };

	if (!file_read(AT_FDCWD, c->token_file, TOKEN_MAX, &b, err))
		return rx_wrap(err, "reading the token file");
	while (b.n && strchr("\r\n \t", b.p[b.n - 1]))
		b.n--;
	if (!b.n)
		return rx_fail(err, RX_EUSAGE, "token file '%s' is empty", c->token_file);
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] < 0x21 || b.p[i] > 0x7e)
			return rx_fail(err, RX_EUSAGE, "token file '%s' holds more than one token",
				       c->token_file);
	}
	rx_buf_add_str(&bearer, "Bearer ");
	rx_buf_add(&bearer, b.p, b.n);
	explicit_bzero(b.p, b.n);
	client_secret_free(c->token);
	c->token = rx_buf_take(&bearer);
	c->token_mtime = st->st_mtim;
	c->token_size = st->st_size;
	return true;
}

/* Under c->lock: reads the file again when it looks changed. */
static bool fresh_token(struct client *c, struct rx_err *err)
{
	struct stat st;

	if (stat(c->token_file, &st) != 0) {
		/* A writer that replaces the file may leave a moment without one. */
		if (c->token)
			return true;
		return rx_fail_errno(err, "token file '%s'", c->token_file);
	}
	if (c->token && st.st_mtim.tv_sec == c->token_mtime.tv_sec &&
	    st.st_mtim.tv_nsec == c->token_mtime.tv_nsec && st.st_size == c->token_size)
		return true;
	return read_token(c, &st, err);
}

bool client_token_reread(struct client *c)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	bool ok;

	if (!c->token_file || c->has_authorization)
		return false;
	pthread_mutex_lock(&c->lock);
	c->token_size = -1;
	ok = fresh_token(c, &ignored);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

bool client_auth_check(struct client *c, struct rx_err *err)
{
	bool ok = true;

	if (c->token_file && c->has_authorization)
		return rx_fail(err, RX_EUSAGE,
			       "both a token file and a header 'authorization' are given");
	if (c->token_file) {
		pthread_mutex_lock(&c->lock);
		ok = fresh_token(c, err);
		pthread_mutex_unlock(&c->lock);
	}
	for (int i = 0; ok && i < CLIENT_ROLES; i++) {
		const struct client_role_state *r = &c->role[i];

		if ((c->token_file || r->basic || c->has_authorization) &&
		    r->endpoint.scheme == ENDPOINT_GRPC && !endpoint_is_local(&r->endpoint))
			rx_note("credentials travel in clear text to %s; grpcs:// encrypts them",
				r->endpoint.display);
	}
	return ok;
}

void client_set_action(struct client *c, const char *action_id, const char *mnemonic,
		       const char *target)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf b = { 0 };
	struct wire_metadata m = {
		.tool_name = c->tool_name,
		.tool_version = c->tool_version,
		.action_id = action_id,
		.invocation_id = c->invocation_id,
		.correlated_id = c->correlated_id,
		.mnemonic = mnemonic,
		.target_id = target,
	};

	wire_metadata_pack(&m, &b);
	pthread_mutex_lock(&c->lock);
	free(c->metadata);
	c->metadata_len = b.n;
	c->metadata = rx_buf_take(&b);
	pthread_mutex_unlock(&c->lock);
}

bool client_call_options(struct client *c, enum client_role role, struct arena *a,
			 struct call_options *out, struct rx_err *err)
{
	struct call_header *h = ARENA_ARRAY(a, struct call_header, c->n_headers + 2);
	const char *secret = NULL;
	size_t n = 0;
	bool ok = true;

	for (; n < c->n_headers; n++) {
		h[n].name = c->headers[n].name;
		h[n].value = (struct rx_view){ c->headers[n].value, c->headers[n].value_len };
	}
	pthread_mutex_lock(&c->lock);
	/* Always beside the user's headers: a server tells tools and builds apart by it. */
	h[n++] = (struct call_header){
		.name = WIRE_METADATA_HEADER,
		.value = arena_view(a, (struct rx_view){ c->metadata, c->metadata_len }),
	};
	if (c->token_file && !c->has_authorization) {
		ok = fresh_token(c, err);
		if (ok)
			secret = arena_str(a, c->token);
	}
	pthread_mutex_unlock(&c->lock);
	if (!ok)
		return false;
	if (!secret && !c->has_authorization)
		secret = c->role[role].basic;
	if (secret)
		h[n++] = (struct call_header){ .name = "authorization",
					       .value = rx_view_str(secret) };
	*out = (struct call_options){ .headers = h, .n_headers = n, .timeout_ms = c->timeout_ms };
	atomic_fetch_add(&c->calls, 1);
	return true;
}
