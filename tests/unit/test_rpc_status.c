/* test_rpc_status: what people read when a call failed. */
#include <criterion/criterion.h>

#include "rpc_status.h"

static void is(int code, struct rx_view text, const char *want)
{
	struct rx_buf b = { .max = 5 * RPC_STATUS_MESSAGE };

	rpc_status_explain(&b, code, text);
	cr_assert_str_eq(rx_buf_str(&b), want);
	rx_buf_release(&b);
}

Test(rpc_status, texts_of_servers_stay_as_they_are)
{
	is(RPC_NOT_FOUND, RX_VIEW("blob: not here: at all"), "blob: not here: at all");
	is(RPC_UNAVAILABLE, RX_VIEW("try later"), "try later");
	is(RPC_INTERNAL, RX_VIEW("failed to connect to all addresses; last error: UNKNOWN: x"),
	   "failed to connect to all addresses; last error: UNKNOWN: x");
	is(RPC_UNKNOWN, RX_VIEW(""), "");
}

Test(rpc_status, connection_failures_are_cut_to_their_cause)
{
	is(RPC_UNAVAILABLE,
	   RX_VIEW("failed to connect to all addresses; last error: UNKNOWN: Failed to connect to "
		   "remote host: Connection refused"),
	   "cannot connect: Connection refused");
	is(RPC_UNAVAILABLE,
	   RX_VIEW("failed to connect to all addresses; last error: UNKNOWN: "
		   "ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused"),
	   "cannot connect: Connection refused");
	is(RPC_UNAVAILABLE,
	   RX_VIEW("failed to connect to all addresses; last error: UNKNOWN: unix:/a/s: No such "
		   "file or directory"),
	   "cannot connect: No such file or directory");
	is(RPC_UNAVAILABLE,
	   RX_VIEW("failed to connect to all addresses; last error: UNKNOWN: "
		   "ipv4:127.0.0.1:43127: Ssl handshake failed: SSL_ERROR_SSL: error:0A00010B:SSL "
		   "routines::wrong version number"),
	   "cannot connect: TLS handshake failed: wrong version number (does this port speak "
	   "TLS?)");
	is(RPC_UNAVAILABLE, RX_VIEW("failed to connect to all addresses"),
	   "cannot connect: failed to connect to all addresses");
}

Test(rpc_status, unresolved_names_point_to_the_other_resolver)
{
	is(RPC_UNAVAILABLE,
	   RX_VIEW("DNS resolution failed for h:443: C-ares status is not ARES_SUCCESS qtype=A "
		   "name=h is_balancer=0: Domain name not found"),
	   "DNS resolution failed for h:443: Domain name not found (for names that only the "
	   "system's resolver knows set GRPC_DNS_RESOLVER=native)");
}

Test(rpc_status, hostile_text_is_printable_and_bounded)
{
	struct rx_buf b = { .max = 5 * RPC_STATUS_MESSAGE };
	size_t n = 4 * RPC_STATUS_MESSAGE;
	char *text = xmalloc(n);

	memset(text, 0x1b, n);
	rpc_status_explain(&b, RPC_INTERNAL, (struct rx_view){ text, n });
	cr_assert(!b.full);
	cr_assert_leq(b.n, 4 * RPC_STATUS_MESSAGE + 3);
	for (size_t i = 0; i < b.n; i++)
		cr_assert(b.p[i] >= 0x20 && b.p[i] < 0x7f);
	rx_buf_release(&b);
	free(text);
}
