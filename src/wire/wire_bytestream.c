/* wire_bytestream: Read, Write, QueryWriteStatus and health by hand; payload is never copied. */
#include "wire_bytestream.h"

#include "wire_reader.h"

/* A message of at most one string and three numbers. */
static void pack(struct rx_buf *out, const char *text, uint64_t two, uint64_t three)
{
	size_t n = wire_text_size(text) + wire_number_size(two) + wire_number_size(three);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	p = wire_put_text(p, 1, text);
	p = wire_put_number(p, 2, two);
	wire_put_number(p, 3, three);
	rx_buf_grew(out, n);
}

static bool keep_resource(struct arena *a, struct wire_reader *r, struct rx_view name,
			  const char **out)
{
	if (name.n > RESOURCE_NAME_MAX)
		return rx_fail(r->err, RX_ELIMIT, "%s.resource_name: %zu bytes, limit %d",
			       r->message, name.n, RESOURCE_NAME_MAX);
	*out = arena_strn(a, name.p, name.n);
	return true;
}

/* What ReadRequest and WriteRequest share: a limit is the one's third field, an end the other's. */
struct request {
	const char *resource;
	int64_t offset, three;
};

/* `data` is NULL where the message has none. */
static bool unpack(struct arena *a, struct wire_reader *r, struct rx_view *data,
		   struct request *out)
{
	struct rx_view name = { 0 };
	enum wire_step step;

	while ((step = wire_next(r)) == WIRE_FIELD) {
		if (r->key == WIRE_KEY(1, WIRE_BYTES)) {
			if (!wire_text(r, "resource_name", &name))
				return false;
		} else if (r->key == WIRE_KEY(2, WIRE_VARINT)) {
			out->offset = wire_int64(r);
		} else if (r->key == WIRE_KEY(3, WIRE_VARINT)) {
			out->three = wire_int64(r);
		} else if (r->key == WIRE_KEY(10, WIRE_BYTES) && data) {
			*data = r->bytes;
		} else {
			wire_unknown(r);
		}
	}
	return step == WIRE_END && keep_resource(a, r, name, &out->resource);
}

void wire_read_request_pack(const struct wire_read_request *m, struct rx_buf *out)
{
	pack(out, m->resource, (uint64_t)m->offset, (uint64_t)m->limit);
}

bool wire_read_request_unpack(struct arena *a, struct rx_view bytes, struct wire_read_request *out,
			      struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "ReadRequest", &marks, err);
	struct request m = { 0 };

	if (!unpack(a, &r, NULL, &m))
		return false;
	*out = (struct wire_read_request){ m.resource, m.offset, m.three };
	return true;
}

void wire_read_response_add_header(struct rx_buf *out, size_t n)
{
	size_t head = n ? 1 + wire_varint_size(n) : 0;
	char *p = rx_buf_reserve(out, head);

	if (!p || !head)
		return;
	wire_put_length(p, 10, n);
	rx_buf_grew(out, head);
}

bool wire_read_response_unpack(struct rx_view bytes, struct rx_view *data, struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "ReadResponse", &marks, err);
	struct rx_view found = { "", 0 };
	enum wire_step step;

	while ((step = wire_next(&r)) == WIRE_FIELD)
		if (r.key == WIRE_KEY(10, WIRE_BYTES))
			found = r.bytes;
	if (step == WIRE_BAD)
		return false;
	*data = found;
	return true;
}

void wire_write_request_add_header(const struct wire_write_request *m, size_t n, struct rx_buf *out)
{
	size_t head = wire_text_size(m->resource) + wire_number_size((uint64_t)m->offset) +
		      wire_number_size(m->finish) + (n ? 1 + wire_varint_size(n) : 0);
	char *p = rx_buf_reserve(out, head);

	if (!p)
		return;
	p = wire_put_text(p, 1, m->resource);
	p = wire_put_number(p, 2, (uint64_t)m->offset);
	p = wire_put_number(p, 3, m->finish);
	if (n)
		wire_put_length(p, 10, n);
	rx_buf_grew(out, head);
}

bool wire_write_request_unpack(struct arena *a, struct rx_view bytes,
			       struct wire_write_request *out, struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "WriteRequest", &marks, err);
	struct rx_view data = { "", 0 };
	struct request m = { 0 };

	if (!unpack(a, &r, &data, &m))
		return false;
	*out = (struct wire_write_request){ m.resource, m.offset, m.three != 0, data };
	return true;
}

void wire_write_response_pack(int64_t committed, struct rx_buf *out)
{
	wire_query_response_pack(committed, false, out);
}

void wire_query_response_pack(int64_t committed, bool complete, struct rx_buf *out)
{
	size_t n = wire_number_size((uint64_t)committed) + wire_number_size(complete);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	p = wire_put_number(p, 1, (uint64_t)committed);
	wire_put_number(p, 2, complete);
	rx_buf_grew(out, n);
}

/* Both messages have the same first field. */
static bool unpack_committed(const char *message, struct rx_view bytes, int64_t *committed,
			     bool *complete, struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, message, &marks, err);
	int64_t size = 0;
	bool done = false;
	enum wire_step step;

	while ((step = wire_next(&r)) == WIRE_FIELD) {
		if (r.key == WIRE_KEY(1, WIRE_VARINT))
			size = wire_int64(&r);
		else if (r.key == WIRE_KEY(2, WIRE_VARINT))
			done = wire_bool(&r);
	}
	if (step == WIRE_BAD)
		return false;
	*committed = size;
	*complete = done;
	return true;
}

bool wire_write_response_unpack(struct rx_view bytes, int64_t *committed, struct rx_err *err)
{
	bool complete;

	return unpack_committed("WriteResponse", bytes, committed, &complete, err);
}

bool wire_query_response_unpack(struct rx_view bytes, int64_t *committed, bool *complete,
				struct rx_err *err)
{
	return unpack_committed("QueryWriteStatusResponse", bytes, committed, complete, err);
}

void wire_health_pack(bool serving, struct rx_buf *out)
{
	enum { SERVING = 1, NOT_SERVING = 2 };
	char *p = rx_buf_reserve(out, 2);

	if (!p)
		return;
	wire_put_number(p, 1, serving ? SERVING : NOT_SERVING);
	rx_buf_grew(out, 2);
}
