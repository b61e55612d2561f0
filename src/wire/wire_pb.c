/* wire_pb: between protobuf-c's structs and ours, for what several messages have. */
#include "wire_pb.h"

#define NS_PER_S 1000000000

void *wire_pb_new(struct arena *a, const ProtobufCMessageDescriptor *d)
{
	void *m = arena_alloc(a, d->sizeof_message);

	protobuf_c_message_init(d, m);
	return m;
}

char **wire_pb_strings(const char **v)
{
	return (char **)(uintptr_t)v;
}

char *wire_pb_text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

ProtobufCBinaryData wire_pb_bytes(struct rx_view v)
{
	return (ProtobufCBinaryData){ v.n, (uint8_t *)(uintptr_t)v.p };
}

struct rx_view wire_pb_view(ProtobufCBinaryData b)
{
	return (struct rx_view){ b.len ? (const char *)b.data : "", b.len };
}

Re__Digest *wire_pb_digest(struct arena *a, const struct digest *d)
{
	Re__Digest *m;

	if (!digest_is_set(d))
		return NULL;
	m = PB_NEW(a, Re__Digest, re__digest);
	m->hash = arena_alloc(a, 129);
	digest_hex(d, m->hash);
	m->size_bytes = d->size;
	return m;
}

bool wire_pb_read_digest(const Re__Digest *m, enum digest_function f, bool required,
			 const char *what, struct digest *out, struct rx_err *err)
{
	if (!m && required)
		return rx_fail(err, RX_EPARSE, "%s: is missing", what);
	if (!m) {
		*out = (struct digest){ 0 };
		return true;
	}
	if (!digest_from_parts(f, rx_view_str(m->hash), m->size_bytes, out, err))
		return rx_wrap(err, "%s", what);
	return true;
}

Re__NodeProperties *wire_pb_properties(struct arena *a, const struct node_properties *p)
{
	Re__NodeProperties *m;

	if (!p->present)
		return NULL;
	m = PB_NEW(a, Re__NodeProperties, re__node_properties);
	m->n_properties = p->n;
	m->properties = ARENA_ARRAY(a, Re__NodeProperty *, p->n);
	for (size_t i = 0; i < p->n; i++) {
		m->properties[i] = PB_NEW(a, Re__NodeProperty, re__node_property);
		m->properties[i]->name = wire_pb_text(p->properties[i].name);
		m->properties[i]->value = wire_pb_text(p->properties[i].value);
	}
	if (p->has_mtime) {
		m->mtime = PB_NEW(a, Pb__Timestamp, pb__timestamp);
		m->mtime->seconds = p->mtime_s;
		m->mtime->nanos = p->mtime_ns;
	}
	if (p->has_mode) {
		m->unix_mode = PB_NEW(a, Pb__UInt32Value, pb__uint32_value);
		m->unix_mode->value = p->mode;
	}
	return m;
}

bool wire_pb_read_properties(struct arena *a, const Re__NodeProperties *m, const char *what,
			     struct node_properties *out, struct rx_err *err)
{
	struct node_properties p = { .present = m != NULL };

	if (!m) {
		*out = p;
		return true;
	}
	p.n = m->n_properties;
	p.properties = ARENA_ARRAY(a, struct node_property, p.n);
	for (size_t i = 0; i < p.n; i++)
		p.properties[i] =
			(struct node_property){ m->properties[i]->name, m->properties[i]->value };
	if (m->mtime) {
		if (m->mtime->nanos < 0 || m->mtime->nanos >= NS_PER_S)
			return rx_fail(err, RX_EPARSE, "%s: mtime.nanos is not within a second",
				       what);
		p.has_mtime = true;
		p.mtime_s = m->mtime->seconds;
		p.mtime_ns = m->mtime->nanos;
	}
	if (m->unix_mode) {
		p.has_mode = true;
		p.mode = m->unix_mode->value;
	}
	*out = p;
	return true;
}

Pb__Timestamp *wire_pb_time(struct arena *a, int64_t ns)
{
	Pb__Timestamp *m;

	if (!ns)
		return NULL;
	m = PB_NEW(a, Pb__Timestamp, pb__timestamp);
	m->seconds = ns / NS_PER_S;
	m->nanos = (int32_t)(ns % NS_PER_S);
	if (m->nanos < 0) { /* before 1970 they still count forward */
		m->seconds--;
		m->nanos += NS_PER_S;
	}
	return m;
}

int64_t wire_pb_read_time(const Pb__Timestamp *m)
{
	int64_t ns;

	if (!m || m->nanos < 0 || m->nanos >= NS_PER_S ||
	    __builtin_mul_overflow(m->seconds, (int64_t)NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)m->nanos, &ns))
		return 0;
	return ns;
}

Pb__Any *wire_pb_any(struct arena *a, const ProtobufCMessage *m)
{
	Pb__Any *any = PB_NEW(a, Pb__Any, pb__any);

	any->type_url = arena_printf(a, "type.googleapis.com/%s", m->descriptor->name);
	any->value.len = protobuf_c_message_get_packed_size(m);
	any->value.data = arena_alloc(a, any->value.len);
	protobuf_c_message_pack(m, any->value.data);
	return any;
}

bool wire_pb_is(const Pb__Any *any, const ProtobufCMessageDescriptor *d)
{
	const char *slash = strrchr(any->type_url, '/');

	return strcmp(slash ? slash + 1 : any->type_url, d->name) == 0;
}
