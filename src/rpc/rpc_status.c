/* rpc_status: status texts for people. */
#include "rpc_status.h"

#include "utf8.h"

/* The part of text behind the last `mark`, or text itself. */
static struct rx_view behind(struct rx_view text, const char *mark)
{
	size_t n = strlen(mark);

	for (size_t i = text.n; i-- > 0;) {
		if (text.n - i >= n && memcmp(text.p + i, mark, n) == 0)
			return (struct rx_view){ text.p + i + n, text.n - i - n };
	}
	return text;
}

static struct rx_view strip(struct rx_view text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (!rx_view_starts(text, prefix))
		return text;
	return (struct rx_view){ text.p + n, text.n - n };
}

/* text without its beginning up to the first ": ", when it begins with an address. */
static struct rx_view strip_address(struct rx_view text)
{
	if (!rx_view_starts(text, "ipv4:") && !rx_view_starts(text, "ipv6:") &&
	    !rx_view_starts(text, "unix:"))
		return text;
	const char *end = memmem(text.p, text.n, ": ", 2);

	return end ? (struct rx_view){ end + 2, text.n - (size_t)(end + 2 - text.p) } : text;
}

static void explain_connect(struct rx_buf *out, struct rx_view text)
{
	struct rx_view cause = behind(text, "last error: ");

	cause = strip(strip(cause, "UNKNOWN: "), "UNAVAILABLE: ");
	cause = strip_address(cause); /* the caller names the target */
	cause = behind(cause, "Failed to connect to remote host: ");
	rx_buf_add_str(out, "cannot connect: ");
	if (rx_view_starts(cause, "Ssl handshake failed: ")) {
		cause = behind(behind(cause, "Ssl handshake failed: "), "SSL routines::");
		rx_buf_add_str(out, "TLS handshake failed: ");
	}
	utf8_add_safe(out, cause.p, cause.n, RPC_STATUS_MESSAGE);
	if (rx_view_starts(cause, "wrong version number"))
		rx_buf_add_str(out, " (does this port speak TLS?)");
}

static void explain_resolve(struct rx_buf *out, struct rx_view text)
{
	const char *ares = memmem(text.p, text.n, "C-ares status ", 14);
	size_t head = ares ? (size_t)(ares - text.p) : text.n;

	utf8_add_safe(out, text.p, head, RPC_STATUS_MESSAGE);
	if (ares) {
		struct rx_view why = behind(text, ": ");

		utf8_add_safe(out, why.p, why.n, RPC_STATUS_MESSAGE);
	}
	/* The resolver built into gRPC knows DNS and /etc/hosts only. */
	rx_buf_add_str(out, " (for names that only the system's resolver knows set "
			    "GRPC_DNS_RESOLVER=native)");
}

void rpc_status_explain(struct rx_buf *out, int code, struct rx_view text)
{
	if (code == RPC_UNAVAILABLE && rx_view_starts(text, "failed to connect to all addresses"))
		explain_connect(out, text);
	else if (code == RPC_UNAVAILABLE && rx_view_starts(text, "empty address list"))
		/* There were addresses: no connection could even be made for one. */
		rx_buf_add_str(out, "cannot connect: TLS cannot be set up with these files (does "
				    "the key fit its certificate?)");
	else if (code == RPC_UNAVAILABLE && rx_view_starts(text, "DNS resolution failed"))
		explain_resolve(out, text);
	else
		utf8_add_safe(out, text.p, text.n, RPC_STATUS_MESSAGE);
}
