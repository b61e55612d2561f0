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

void rpc_status_explain(struct rx_buf *out, int code, struct rx_view text)
{
	const char *after = "";

	if (code == RPC_UNAVAILABLE) {
		if (rx_view_starts(text, "failed to connect to all addresses")) {
			struct rx_view cause = behind(text, "last error: ");

			cause = strip(strip(cause, "UNKNOWN: "), "UNAVAILABLE: ");
			cause = behind(cause, "Failed to connect to remote host: ");
			if (rx_view_starts(cause, "unix:")) /* the caller names the target */
				cause = behind(cause, ": ");
			rx_buf_add_str(out, "cannot connect: ");
			text = cause;
		} else if (rx_view_starts(text, "DNS resolution failed")) {
			/* The resolver built into gRPC knows DNS and /etc/hosts only. */
			after = " (for names that only the system's resolver knows set "
				"GRPC_DNS_RESOLVER=native)";
		}
	}
	utf8_add_safe(out, text.p, text.n, RPC_STATUS_MESSAGE);
	rx_buf_add_str(out, after);
}
