/* wire_scan: received bytes are checked against a message descriptor before protobuf-c sees them,
 * since protobuf-c alone has no limit of nesting (deep messages overflow the stack), lets NUL and
 * bad UTF-8 into strings, refuses whole messages for a group or a field of another wire type, and
 * forgets numbers when a message that came in pieces is merged.
 *
 * Internal to wire: other rooms must not see protobuf-c. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "arena.h"
#include "err.h"

/* Checks syntax, nesting, text and the count of elements. marks are added to. clean_out is what to
 * unpack: bytes, or a copy in the arena without what is unknown or in pieces. */
RX_MUST_USE bool wire_scan(struct arena *a, const ProtobufCMessageDescriptor *d,
			   struct rx_view bytes, unsigned *marks, struct rx_view *clean_out,
			   struct rx_err *err);
/* wire_scan and unpacking into the arena. Never for descriptors that contain themselves. NULL on
 * failure: RX_ELIMIT past `limit` bytes, RX_EPARSE otherwise. */
void *wire_unpack(struct arena *a, const ProtobufCMessageDescriptor *d, struct rx_view bytes,
		  size_t limit, unsigned *marks, struct rx_err *err);
/* Appends the message's bytes. */
void wire_pack(const ProtobufCMessage *m, struct rx_buf *out);
