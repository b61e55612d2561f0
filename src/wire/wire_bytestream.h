/* wire_bytestream: Read, Write, QueryWriteStatus; and the health service. Data messages are handled
 * by hand, so that payload is not copied. */
#pragma once

#include "wire.h"

#define WIRE_BYTESTREAM      "/google.bytestream.ByteStream/"
#define WIRE_HEALTH          "/grpc.health.v1.Health/Check"
#define WIRE_RESOURCE_HEADER "build.bazel.remote.execution.v2.resource-name"

struct wire_read_request {
	const char *resource;
	int64_t offset, limit;
};
void wire_read_request_pack(const struct wire_read_request *m, struct rx_buf *out);
RX_MUST_USE bool wire_read_request_unpack(struct arena *a, struct rx_view bytes,
					  struct wire_read_request *out, struct rx_err *err);
/* What comes before n bytes of data in a ReadResponse. */
void wire_read_response_add_header(struct rx_buf *out, size_t n);
RX_MUST_USE bool wire_read_response_unpack(struct rx_view bytes, struct rx_view *data,
					   struct rx_err *err);

struct wire_write_request {
	const char *resource; /* NULL or "" = not repeated */
	int64_t offset;
	bool finish;
	struct rx_view data;
};
/* All fields and the header of n bytes of data, which must follow. */
void wire_write_request_add_header(const struct wire_write_request *m, size_t n,
				   struct rx_buf *out);
RX_MUST_USE bool wire_write_request_unpack(struct arena *a, struct rx_view bytes,
					   struct wire_write_request *out, struct rx_err *err);
void wire_write_response_pack(int64_t committed, struct rx_buf *out);
RX_MUST_USE bool wire_write_response_unpack(struct rx_view bytes, int64_t *committed,
					    struct rx_err *err);
void wire_query_response_pack(int64_t committed, bool complete, struct rx_buf *out);
RX_MUST_USE bool wire_query_response_unpack(struct rx_view bytes, int64_t *committed,
					    bool *complete, struct rx_err *err);
/* QueryWriteStatusRequest has one string: the resource name (field 1), as wire_name_pack writes. */
void wire_health_pack(bool serving, struct rx_buf *out);
