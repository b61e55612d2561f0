/* fuzz_endpoint: a URL either fails with a reason or its display parses to the same target, without
 * the user info. */
#include <assert.h>

#include "endpoint.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	RX_CLEANUP(endpoint_release) struct endpoint e = { 0 }, again = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *url = xstrndup((const char *)data, n < 4096 ? n : 4096);

	if (!endpoint_parse(url, &e, &err)) {
		assert(err.code == RX_EUSAGE && err.msg.n > 0);
		return 0;
	}
	assert(e.display);
	if (e.scheme == ENDPOINT_EMBEDDED)
		return 0;
	assert(e.target && (e.scheme == ENDPOINT_UNIX || !strchr(e.display, '@')));
	assert(endpoint_parse(e.display, &again, &err));
	assert(again.scheme == e.scheme && strcmp(again.target, e.target) == 0);
	assert(strcmp(again.display, e.display) == 0 && !again.user_info);
	return 0;
}
