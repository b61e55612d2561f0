/* fuzz_digest: text is a digest or an error; a digest's own text is the same digest. */
#include <assert.h>

#include "digest.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(xfreep) char *text = xstrndup((const char *)data, n);
	char formatted[DIGEST_TEXT_MAX], hex[129];
	struct digest d, again;

	if (!digest_parse(text, &d, &err)) {
		assert(err.code != RX_OK && err.msg.n);
		return 0;
	}
	assert(digest_is_set(&d) && d.size >= 0);
	assert(d.len == digest_function_length((enum digest_function)d.function));
	digest_format(&d, formatted);
	assert(digest_parse(formatted, &again, &err) && digest_eq(&d, &again));
	digest_hex(&d, hex);
	assert(digest_from_parts((enum digest_function)d.function, rx_view_str(hex), d.size, &again,
				 &err));
	assert(digest_eq(&d, &again) && digest_cmp(&d, &again) == 0);
	return 0;
}
