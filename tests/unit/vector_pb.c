/* vector_pb: between the test vectors' JSON and protobuf-c messages, over descriptors. */
#include "vector_pb.h"

#include <criterion/criterion.h>

#include "bytestream.pb-c.h"
#include "error_details.pb-c.h"
#include "remote_execution.pb-c.h"
#include "utf8.h"

static const ProtobufCMessageDescriptor *const descriptors[] = {
	&re__directory__descriptor,
	&re__platform__descriptor,
	&re__command__descriptor,
	&re__action__descriptor,
	&re__tree__descriptor,
	&re__digest__descriptor,
	&re__action_result__descriptor,
	&re__execute_response__descriptor,
	&re__execute_operation_metadata__descriptor,
	&re__server_capabilities__descriptor,
	&re__cache_capabilities__descriptor,
	&re__find_missing_blobs_response__descriptor,
	&re__batch_update_blobs_request__descriptor,
	&re__batch_read_blobs_response__descriptor,
	&re__request_metadata__descriptor,
	&re__tool_details__descriptor,
	&rpc__status__descriptor,
	&rpc__precondition_failure__descriptor,
	&rpc__retry_info__descriptor,
	&lro__operation__descriptor,
	&bs__write_request__descriptor,
	&bs__write_response__descriptor,
};

const ProtobufCMessageDescriptor *vector_descriptor(struct rx_view name)
{
	for (size_t i = 0; i < RX_COUNT(descriptors); i++)
		if (rx_view_eq_str(name, descriptors[i]->name) ||
		    rx_view_eq_str(name, descriptors[i]->short_name))
			return descriptors[i];
	return NULL;
}

struct rx_view vector_hex(struct arena *a, const struct jsondoc *text)
{
	uint8_t *p;

	cr_assert(text && text->type == JSON_STRING);
	p = arena_alloc(a, text->text.n / 2);
	cr_assert(hex_decode(text->text.p, text->text.n, p));
	return (struct rx_view){ (const char *)p, text->text.n / 2 };
}

static void *member(const ProtobufCMessage *m, size_t offset)
{
	return (char *)(uintptr_t)m + offset;
}

static size_t element_size(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_BOOL:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		return 8;
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return sizeof(void *);
	}
}

static struct rx_view bytes_of(struct arena *a, const struct jsondoc *v)
{
	const struct jsondoc *type = jsondoc_get(v, "$message");
	const ProtobufCMessageDescriptor *d;
	ProtobufCMessage *m;
	uint8_t *p;
	size_t n;

	if (!type)
		return vector_hex(a, jsondoc_get(v, "$hex"));
	d = vector_descriptor(type->text);
	cr_assert(d, "no descriptor for %.*s", (int)type->text.n, type->text.p);
	m = vector_build(a, d, jsondoc_get(v, "$value"));
	n = protobuf_c_message_get_packed_size(m);
	p = arena_alloc(a, n);
	protobuf_c_message_pack(m, p);
	return (struct rx_view){ (const char *)p, n };
}

static void set(struct arena *a, const ProtobufCFieldDescriptor *f, void *at,
		const struct jsondoc *v)
{
	struct rx_view bytes;
	int64_t number = 0;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		cr_assert(v->type == JSON_STRING);
		*(char **)at = arena_strn(a, v->text.p, v->text.n);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		bytes = bytes_of(a, v);
		*(ProtobufCBinaryData *)at =
			(ProtobufCBinaryData){ bytes.n, (uint8_t *)(uintptr_t)bytes.p };
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)at = vector_build(a, f->descriptor, v);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		cr_assert(v->type == JSON_BOOL);
		*(protobuf_c_boolean *)at = v->truth;
		return;
	default:
		cr_assert(jsondoc_int(v, &number), "%s is no number", f->name);
		if (element_size(f->type) == 8)
			*(int64_t *)at = number;
		else
			*(int32_t *)at = (int32_t)number;
	}
}

/* Maps come as objects and go as lists of entries. */
static void set_list(struct arena *a, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		     const struct jsondoc *v)
{
	size_t size = element_size(f->type);
	char *list = arena_zalloc(a, v->n * size);

	for (size_t i = 0; i < v->n; i++) {
		const ProtobufCMessageDescriptor *d = f->descriptor;
		ProtobufCMessage *entry;

		if (v->type == JSON_ARRAY) {
			set(a, f, list + i * size, &v->items[i]);
			continue;
		}
		entry = arena_zalloc(a, d->sizeof_message);
		protobuf_c_message_init(d, entry);
		*(char **)member(entry, d->fields[0].offset) =
			arena_strn(a, v->keys[i].p, v->keys[i].n);
		set(a, &d->fields[1], member(entry, d->fields[1].offset), &v->items[i]);
		*(ProtobufCMessage **)(list + i * size) = entry;
	}
	*(size_t *)member(m, f->quantifier_offset) = v->n;
	*(char **)member(m, f->offset) = list;
}

ProtobufCMessage *vector_build(struct arena *a, const ProtobufCMessageDescriptor *d,
			       const struct jsondoc *logical)
{
	ProtobufCMessage *m = arena_zalloc(a, d->sizeof_message);

	protobuf_c_message_init(d, m);
	cr_assert(logical && logical->type == JSON_OBJECT);
	for (size_t i = 0; i < logical->n; i++) {
		char *key = arena_strn(a, logical->keys[i].p, logical->keys[i].n);
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field_by_name(d, key);

		cr_assert(f, "%s has no field %s", d->name, key);
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			set_list(a, m, f, &logical->items[i]);
			continue;
		}
		set(a, f, member(m, f->offset), &logical->items[i]);
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			*(uint32_t *)member(m, f->quantifier_offset) = f->id;
	}
	return m;
}

static bool differs(struct rx_buf *why, const char *path, const char *field)
{
	rx_buf_addf(why, "%s.%s differs\n", path, field);
	return false;
}

/* v is NULL where the JSON says nothing: then the value must be the default. */
static bool equal(const ProtobufCFieldDescriptor *f, const void *at, const struct jsondoc *v,
		  const char *path, struct rx_buf *why)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	const ProtobufCBinaryData *b = at;
	struct rx_view want = { 0 };
	int64_t number = 0, is;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (v)
			want = v->text;
		return rx_view_eq(rx_view_str(*(char *const *)at), want) ||
		       differs(why, path, f->name);
	case PROTOBUF_C_TYPE_BYTES:
		if (v)
			want = bytes_of(&scratch, v);
		return rx_view_eq((struct rx_view){ (char *)b->data, b->len }, want) ||
		       differs(why, path, f->name);
	case PROTOBUF_C_TYPE_MESSAGE:
		if (!v || !*(ProtobufCMessage *const *)at)
			return (!v && !*(ProtobufCMessage *const *)at) ||
			       differs(why, path, f->name);
		return vector_equal(*(ProtobufCMessage *const *)at, v, f->name, why);
	case PROTOBUF_C_TYPE_BOOL:
		return (*(const protobuf_c_boolean *)at != 0) == (v && v->truth) ||
		       differs(why, path, f->name);
	default:
		cr_assert(!v || jsondoc_int(v, &number));
		is = element_size(f->type) == 8 ? *(const int64_t *)at : *(const int32_t *)at;
		return is == number || differs(why, path, f->name);
	}
}

static bool equal_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		       const struct jsondoc *v, const char *path, struct rx_buf *why)
{
	size_t n = *(size_t *)member(m, f->quantifier_offset), size = element_size(f->type);
	const char *list = *(char **)member(m, f->offset);
	bool ok = true;

	if (n != (v ? v->n : 0))
		return differs(why, path, f->name);
	for (size_t i = 0; i < n; i++) {
		const ProtobufCMessageDescriptor *d = f->descriptor;
		const struct jsondoc *value = &v->items[i];
		const ProtobufCMessage *entry;
		const char *key;

		if (v->type == JSON_ARRAY) {
			ok &= equal(f, list + i * size, value, path, why);
			continue;
		}
		/* map order on the wire is free, but the vectors have it as in the JSON; a value
		 * that was not sent is an empty one */
		entry = *(ProtobufCMessage *const *)(list + i * size);
		key = *(char **)member(entry, d->fields[0].offset);
		ok &= rx_view_eq(rx_view_str(key), v->keys[i]) || differs(why, path, f->name);
		if (value->n || *(ProtobufCMessage **)member(entry, d->fields[1].offset))
			ok &= equal(&d->fields[1], member(entry, d->fields[1].offset), value, path,
				    why);
	}
	return ok;
}

bool vector_equal(const ProtobufCMessage *m, const struct jsondoc *logical, const char *path,
		  struct rx_buf *why)
{
	bool ok = true;

	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const struct jsondoc *v = jsondoc_get(logical, f->name);

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			ok &= equal_list(m, f, v, path, why);
			continue;
		}
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		    *(uint32_t *)member(m, f->quantifier_offset) != f->id) {
			ok &= !v || differs(why, path, f->name);
			continue;
		}
		ok &= equal(f, member(m, f->offset), v, path, why);
	}
	return ok;
}
