/* wire_pages: GetTree, whose directories stay the bytes they came as. */
#include "wire_cas.h"
#include "wire_digest.h"

void wire_get_tree_pack(const struct wire_get_tree *m, struct rx_buf *out)
{
	uint64_t page = (uint64_t)(int64_t)m->page_size;
	size_t n = wire_text_size(m->instance) + wire_digest_field_size(&m->root) +
		   wire_number_size(page) + wire_text_size(m->page_token) +
		   wire_number_size(m->function);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	p = wire_put_text(p, 1, m->instance);
	p = wire_put_digest(p, 2, &m->root);
	p = wire_put_number(p, 3, page);
	p = wire_put_text(p, 4, m->page_token);
	wire_put_number(p, 5, m->function);
	rx_buf_grew(out, n);
}

bool wire_get_tree_unpack(struct arena *a, struct rx_view bytes, struct wire_get_tree *out,
			  struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "GetTreeRequest", &marks, err);
	struct wire_get_tree m = { 0 };
	struct wire_digest_parts root = { 0 };
	struct rx_view instance = { 0 }, token = { 0 };
	enum wire_step step;

	while ((step = wire_next(&r)) == WIRE_FIELD) {
		switch (r.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			if (!wire_text(&r, "instance_name", &instance))
				return false;
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			if (!wire_read_digest(&r, &root))
				return false;
			break;
		case WIRE_KEY(3, WIRE_VARINT):
			m.page_size = wire_int32(&r);
			break;
		case WIRE_KEY(4, WIRE_BYTES):
			if (!wire_text(&r, "page_token", &token))
				return false;
			break;
		case WIRE_KEY(5, WIRE_VARINT):
			m.function = (enum digest_function)wire_int32(&r);
			break;
		default:
			wire_unknown(&r);
		}
	}
	if (step == WIRE_BAD || !wire_make_digest(&r, "root_digest", &root, &m.function, &m.root))
		return false;
	m.instance = arena_strn(a, instance.p, instance.n);
	m.page_token = arena_strn(a, token.p, token.n);
	*out = m;
	return true;
}

void wire_tree_page_pack(const struct wire_tree_page *m, struct rx_buf *out)
{
	size_t n = wire_text_size(m->next_page_token);
	char *p;

	for (size_t i = 0; i < m->n; i++)
		n += wire_bytes_size(m->directories[i].n);
	p = rx_buf_reserve(out, n);
	if (!p)
		return;
	for (size_t i = 0; i < m->n; i++)
		p = wire_put_bytes(p, 1, m->directories[i].n ? m->directories[i].p : "",
				   m->directories[i].n);
	wire_put_text(p, 2, m->next_page_token);
	rx_buf_grew(out, n);
}

bool wire_tree_page_unpack(struct arena *a, struct rx_view bytes, struct wire_tree_page *out,
			   struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "GetTreeResponse", &marks, err), counter = r;
	struct wire_tree_page m = { 0 };
	struct rx_view token = { 0 };
	enum wire_step step;
	size_t n = 0;

	if (bytes.n > LIMIT_MESSAGE_BYTES)
		return rx_fail(err, RX_ELIMIT, "GetTreeResponse is %zu bytes, limit %u", bytes.n,
			       LIMIT_MESSAGE_BYTES);
	while ((step = wire_next(&counter)) == WIRE_FIELD)
		n += counter.key == WIRE_KEY(1, WIRE_BYTES);
	if (step == WIRE_BAD)
		return false;
	if (n > LIMIT_ELEMENTS)
		return rx_fail(err, RX_ELIMIT, "GetTreeResponse: more than %u directories",
			       LIMIT_ELEMENTS);
	m.directories = ARENA_ARRAY(a, struct rx_view, n);
	while ((step = wire_next(&r)) == WIRE_FIELD) {
		if (r.key == WIRE_KEY(1, WIRE_BYTES))
			m.directories[m.n++] = r.bytes;
		else if (r.key == WIRE_KEY(2, WIRE_BYTES) &&
			 !wire_text(&r, "next_page_token", &token))
			return false;
	}
	if (step == WIRE_BAD)
		return false;
	m.next_page_token = arena_strn(a, token.p, token.n);
	*out = m;
	return true;
}
