/* vector_pb: between the test vectors' JSON and protobuf-c messages, over descriptors: a second
 * way to the same bytes that shares nothing with src/wire. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "jsonpull.h"

/* By full name or by the part after the last dot; NULL when the table lacks it. */
const ProtobufCMessageDescriptor *vector_descriptor(struct rx_view name);
/* A message with what the JSON says; stops the test on JSON that does not fit. */
ProtobufCMessage *vector_build(struct arena *a, const ProtobufCMessageDescriptor *d,
			       const struct jsondoc *logical);
/* Adds a line to why for every field that differs; what the JSON does not name must be unset. */
bool vector_equal(const ProtobufCMessage *m, const struct jsondoc *logical, const char *path,
		  struct rx_buf *why);
struct rx_view vector_hex(struct arena *a, const struct jsondoc *text);
