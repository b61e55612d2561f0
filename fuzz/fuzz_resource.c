/* fuzz_resource: a name is refused with a reason, or writing what it means gives it back. */
#include <assert.h>

#include "fuzz.h"
#include "resource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
	struct rx_view name = { (const char *)data, n };
	struct resource r;

	if (!resource_parse(&a, name, &r, &err)) {
		assert((err.code == RX_EPARSE || err.code == RX_ELIMIT) && err.msg.n);
		return 0;
	}
	assert(resource_check_instance(r.instance, &err));
	if (*name.p == '/') /* an empty instance, by an older Go SDK */
		name = (struct rx_view){ name.p + 1, --n };
	if (r.upload)
		resource_add_upload(&out, r.instance, r.uuid, r.compressor, &r.digest);
	else
		resource_add_download(&out, r.instance, r.compressor, &r.digest);
	if (out.n < n) { /* metadata, perhaps empty */
		assert(r.upload);
		rx_buf_addf(&out, "/%s", r.metadata);
	}
	assert(rx_view_eq(rx_view_of(&out), name));
	return 0;
}
