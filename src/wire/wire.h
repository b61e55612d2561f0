/* wire: the translator between plain structs and protobuf bytes; the only room that knows
 * protobuf-c. This header has what all its files share; each service has its own: wire_tree,
 * wire_action, wire_result, wire_cas, wire_ac, wire_execution, wire_capabilities, wire_bytestream,
 * wire_status.
 *
 * wire_X_pack(struct, out) appends canonical bytes. wire_X_unpack(arena, bytes, out, err) checks
 * first (sizes, nesting, UTF-8, NUL, wire syntax; groups and wrongly typed fields are skipped as
 * unknown) and refuses what is malformed with RX_EPARSE "Message.field: why at byte N"; results
 * live in the arena and may point into `bytes`. Digests are of received bytes, never of a re-pack.
 */
#pragma once

#include "action.h"
#include "result.h"
#include "limit.h"
#include "source.h"
#include "resource.h"

/* A digest in a request: function UNKNOWN in the message is inferred from the hash (REAPI rule 30).
 */
struct wire_digests {
	struct digest *v;
	size_t n;
};
