/* wire_pb: between protobuf-c's structs and ours, for messages that are not worth writing by hand.
 *
 * What is packed is built in a scratch arena and may point into the source; what is unpacked lies
 * in the caller's arena, so pointers are handed on without copying. Internal to wire. */
#pragma once

#include "remote_execution.pb-c.h"

#include "wire_status.h"
#include "wire_scan.h"

/* A new message in the arena: PB_NEW(a, Re__Digest, re__digest). */
#define PB_NEW(a, type, name) ((type *)wire_pb_new((a), &name##__descriptor))
void *wire_pb_new(struct arena *a, const ProtobufCMessageDescriptor *d);

/* NULL for a digest that is not set. */
Re__Digest *wire_pb_digest(struct arena *a, const struct digest *d);
/* Absent is not set, unless required: then it fails (REAPI rule 19). `what` names the field. */
RX_MUST_USE bool wire_pb_read_digest(const Re__Digest *m, enum digest_function f, bool required,
				     const char *what, struct digest *out, struct rx_err *err);

/* NULL when not present. */
Re__NodeProperties *wire_pb_properties(struct arena *a, const struct node_properties *p);
RX_MUST_USE bool wire_pb_read_properties(struct arena *a, const Re__NodeProperties *m,
					 const char *what, struct node_properties *out,
					 struct rx_err *err);

/* Nanoseconds since 1970; 0 is unknown and NULL. Times out of range are unknown. */
Pb__Timestamp *wire_pb_time(struct arena *a, int64_t ns);
int64_t wire_pb_read_time(const Pb__Timestamp *m);

/* A list of strings, whose elements may not be NULL; protobuf-c's type for it does not say const.
 */
char **wire_pb_strings(const char **v);
/* protobuf-c does not write to strings it packs; NULL is "". */
char *wire_pb_text(const char *s);
ProtobufCBinaryData wire_pb_bytes(struct rx_view v);
struct rx_view wire_pb_view(ProtobufCBinaryData b);

/* The Any that holds m. */
Pb__Any *wire_pb_any(struct arena *a, const ProtobufCMessage *m);
/* By what follows the last slash of the type's address. */
bool wire_pb_is(const Pb__Any *any, const ProtobufCMessageDescriptor *d);

/* Shared between wire_result and the services that carry results. */
Re__ActionResult *wire_pb_result(struct arena *a, const struct result *r, unsigned links);
RX_MUST_USE bool wire_pb_read_result(struct arena *a, const Re__ActionResult *m,
				     enum digest_function f, struct result *out,
				     struct rx_err *err);
/* Shared between wire_status and wire_execution. */
Rpc__Status *wire_pb_status(struct arena *a, const struct wire_status *s);
/* NULL is OK. */
void wire_pb_read_status(struct arena *a, const Rpc__Status *m, struct wire_status *out);
