/* fuzz_directory: what is read without marks is written back as it was; what is sorted and written
 * is read without marks that sorting cures. */
#include <assert.h>

#include "fuzz.h"
#include "wire_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf out = { .max = RX_BUF_NO_MAX };
	struct rx_view bytes = { (const char *)data, n };
	struct directory d, again;

	if (!wire_directory_unpack(&a, bytes, DIGEST_UNKNOWN, &d, &err)) {
		assert(err.code != RX_OK && err.msg.n);
		return 0;
	}
	wire_directory_pack(&d, &out);
	if (!(d.marks & ~(unsigned)MARK_SYMLINK_ABSOLUTE))
		assert(rx_view_eq(rx_view_of(&out), bytes));
	directory_sort(&d);
	rx_buf_reset(&out);
	wire_directory_pack(&d, &out);
	assert(wire_directory_unpack(&a, rx_view_of(&out), DIGEST_UNKNOWN, &again, &err));
	assert(!(again.marks & (MARK_UNSORTED | MARK_ENCODING | MARK_UNKNOWN_FIELD)));
	assert(again.n_files == d.n_files && again.n_links == d.n_links);
	return 0;
}
