/* fuzz_wire: the first byte picks a message. What can be read can be written; what was written is
 * read again and written to the same bytes. */
#include <assert.h>

#include "fuzz.h"
#include "wire_ac.h"
#include "wire_action.h"
#include "wire_bytestream.h"
#include "wire_capabilities.h"
#include "wire_cas.h"
#include "wire_execution.h"
#include "wire_tree.h"

/* Reads bytes and writes what they mean; false when they are refused. */
#define ROUND(name, type, read, write)                                                             \
	static bool name(struct arena *a, struct rx_view in, struct rx_buf *out,                   \
			 struct rx_err *err)                                                       \
	{                                                                                          \
		type m = { 0 };                                                                    \
		(void)a;                                                                           \
		if (!(read))                                                                       \
			return false;                                                              \
		write;                                                                             \
		return true;                                                                       \
	}
#define F DIGEST_UNKNOWN
#define L WIRE_LINKS_NEW | WIRE_LINKS_OLD
ROUND(command, struct action, wire_command_unpack(a, in, &m, err),
      wire_command_pack(&m, WIRE_OUTPUT_AS_IS, out))
ROUND(action, struct action, wire_action_unpack(a, in, &m, err), wire_action_pack(&m, out))
ROUND(result, struct result, wire_result_unpack(a, in, F, &m, err), wire_result_pack(&m, L, out))
ROUND(tree, struct wire_tree, wire_tree_unpack(a, in, &m, err), wire_tree_pack(&m, out))
ROUND(operation, struct wire_operation, wire_operation_unpack(a, in, F, &m, err),
      wire_operation_pack(&m, L, out))
ROUND(status, struct wire_status, wire_status_unpack(a, in, &m, err), wire_status_pack(&m, out))
ROUND(capabilities, struct wire_capabilities, wire_capabilities_unpack(a, in, &m, err),
      wire_capabilities_pack(&m, out))
ROUND(find, struct wire_find, wire_find_unpack(a, in, &m, err), wire_find_pack(&m, out))
ROUND(missing, struct wire_digests, wire_missing_unpack(a, in, F, &m, err),
      wire_missing_pack(&m, out))
ROUND(update_reply, struct wire_blob_statuses, wire_update_reply_unpack(a, in, F, &m, err),
      wire_update_reply_pack(&m, out))
ROUND(read_request, struct wire_read, wire_read_unpack(a, in, &m, err), wire_read_pack(&m, out))
ROUND(read_reply, struct wire_blob_statuses, wire_read_reply_unpack(a, in, F, &m, err),
      wire_read_reply_pack(&m, out))
ROUND(get_tree, struct wire_get_tree, wire_get_tree_unpack(a, in, &m, err),
      wire_get_tree_pack(&m, out))
ROUND(tree_page, struct wire_tree_page, wire_tree_page_unpack(a, in, &m, err),
      wire_tree_page_pack(&m, out))
ROUND(get_result, struct wire_get_result, wire_get_result_unpack(a, in, &m, err),
      wire_get_result_pack(&m, out))
ROUND(update_result, struct wire_update_result, wire_update_result_unpack(a, in, &m, err),
      wire_update_result_pack(&m, L, out))
ROUND(execute, struct wire_execute, wire_execute_unpack(a, in, &m, err), wire_execute_pack(&m, out))
ROUND(metadata, struct wire_metadata, wire_metadata_unpack(a, in, &m, err),
      wire_metadata_pack(&m, out))
ROUND(update, struct wire_update, wire_update_unpack(a, in, &m, err),
      wire_update_add_header(out, m.instance, m.function))
ROUND(write_request, struct wire_write_request, wire_write_request_unpack(a, in, &m, err),
      (wire_write_request_add_header(&m, m.data.n, out), rx_buf_add(out, m.data.p, m.data.n)))
ROUND(read_response, struct rx_view, wire_read_response_unpack(in, &m, err),
      (wire_read_response_add_header(out, m.n), rx_buf_add(out, m.p, m.n)))
ROUND(sorted, struct wire_tree,
      wire_tree_unpack(a, in, &m, err) && wire_tree_check_sorted(&m, F, err) &&
	      wire_tree_check_complete(&m, F, err),
      rx_buf_add(out, in.p, in.n))

static bool (*const messages[])(struct arena *, struct rx_view, struct rx_buf *,
				struct rx_err *) = {
	command,  action,    result,        operation,     status,       capabilities,
	find,     missing,   update,        update_reply,  read_request, read_reply,
	get_tree, tree_page, get_result,    update_result, execute,      metadata,
	tree,     sorted,    write_request, read_response,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err err = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf one = { .max = RX_BUF_NO_MAX };
	RX_CLEANUP(rx_buf_release) struct rx_buf two = { .max = RX_BUF_NO_MAX };
	size_t kind = n ? data[0] % RX_COUNT(messages) : 0;
	struct rx_view in = { (const char *)data + 1, n ? n - 1 : 0 };

	if (!n || !messages[kind](&a, in, &one, &err)) {
		assert(!n || (err.code != RX_OK && err.msg.n));
		return 0;
	}
	assert(messages[kind](&a, rx_view_of(&one), &two, &err));
	assert(rx_view_eq(rx_view_of(&one), rx_view_of(&two)));
	return 0;
}
