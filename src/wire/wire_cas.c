/* wire_cas: FindMissingBlobs and the batch calls by hand, as they carry the bulk of all bytes. */
#include "wire_cas.h"

#include "wire_digest.h"

static const char *keep(struct arena *a, struct rx_view v)
{
	return arena_strn(a, v.p, v.n);
}

static bool check_size(struct rx_view bytes, const char *message, struct rx_err *err)
{
	if (bytes.n > LIMIT_MESSAGE_BYTES)
		return rx_fail(err, RX_ELIMIT, "%s is %zu bytes, limit %u", message, bytes.n,
			       LIMIT_MESSAGE_BYTES);
	return true;
}

/* How often the key occurs, at most LIMIT_ELEMENTS times. */
static bool count_key(struct wire_reader r, uint32_t key, size_t *n)
{
	unsigned marks = 0;
	enum wire_step step;

	*n = 0;
	r.marks = &marks;
	while ((step = wire_next(&r)) == WIRE_FIELD)
		if (r.key == key && ++*n > LIMIT_ELEMENTS)
			return rx_fail(r.err, RX_ELIMIT, "%s: more than %u elements", r.message,
				       LIMIT_ELEMENTS);
	return step == WIRE_END;
}

/* The last value of a number, before or behind what needs it: functions come after digests. */
static int find_number(struct wire_reader r, unsigned number)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	unsigned marks = 0;
	int value = 0;

	r.err = &ignored;
	r.marks = &marks;
	while (wire_next(&r) == WIRE_FIELD)
		if (r.key == WIRE_KEY(number, WIRE_VARINT))
			value = wire_int32(&r);
	return value;
}

static size_t digests_size(const struct wire_digests *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += wire_digest_field_size(&v->v[i]);
	return n;
}

static char *put_digests(char *p, unsigned number, const struct wire_digests *v)
{
	for (size_t i = 0; i < v->n; i++)
		p = wire_put_digest(p, number, &v->v[i]);
	return p;
}

static bool read_digest(struct wire_reader *r, const char *field, enum digest_function *f,
			struct digest *out)
{
	struct wire_digest_parts parts = { 0 };

	return wire_read_digest(r, &parts) && wire_make_digest(r, field, &parts, f, out);
}

/* A request of an instance, digests and a function: both finding and reading are of this shape. */
struct asking {
	const char *message, *list;
	unsigned function_number;
	unsigned accepts_number; /* 0 = has none */
	const char *instance;
	enum digest_function function;
	struct wire_digests digests;
	bool accepts_zstd;
};

static bool read_accepts(struct wire_reader *r, bool *zstd)
{
	const char *p = r->bytes.p, *end = p + r->bytes.n;
	uint64_t v;

	while (p < end) {
		p = wire_get_varint(p, end, 10, &v, r->marks);
		if (!p)
			return wire_bad(r, "acceptable_compressors",
					"the number does not end within 64 bits");
		*zstd = *zstd || v == COMPRESSOR_ZSTD;
	}
	return true;
}

static bool read_asking(struct arena *a, struct rx_view bytes, struct asking *out,
			struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, out->message, &marks, err);
	struct rx_view instance = { 0 };
	enum wire_step step;
	size_t n;

	if (!check_size(bytes, out->message, err) || !count_key(r, WIRE_KEY(2, WIRE_BYTES), &n))
		return false;
	out->function = (enum digest_function)find_number(r, out->function_number);
	out->digests.v = ARENA_ARRAY(a, struct digest, n);
	while ((step = wire_next(&r)) == WIRE_FIELD) {
		if (r.key == WIRE_KEY(1, WIRE_BYTES)) {
			if (!wire_text(&r, "instance_name", &instance))
				return false;
		} else if (r.key == WIRE_KEY(2, WIRE_BYTES)) {
			if (!read_digest(&r, out->list, &out->function,
					 &out->digests.v[out->digests.n++]))
				return false;
		} else if (out->accepts_number &&
			   r.key == WIRE_KEY(out->accepts_number, WIRE_BYTES)) {
			if (!read_accepts(&r, &out->accepts_zstd))
				return false;
		} else if (out->accepts_number &&
			   r.key == WIRE_KEY(out->accepts_number, WIRE_VARINT)) {
			out->accepts_zstd = out->accepts_zstd || r.value == COMPRESSOR_ZSTD;
		}
	}
	out->instance = keep(a, instance);
	return step == WIRE_END;
}

void wire_find_pack(const struct wire_find *m, struct rx_buf *out)
{
	size_t n = wire_text_size(m->instance) + digests_size(&m->digests) +
		   wire_number_size(m->function);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	p = wire_put_text(p, 1, m->instance);
	p = put_digests(p, 2, &m->digests);
	wire_put_number(p, 3, m->function);
	rx_buf_grew(out, n);
}

bool wire_find_unpack(struct arena *a, struct rx_view bytes, struct wire_find *out,
		      struct rx_err *err)
{
	struct asking m = { .message = "FindMissingBlobsRequest",
			    .list = "blob_digests",
			    .function_number = 3 };

	if (!read_asking(a, bytes, &m, err))
		return false;
	*out = (struct wire_find){ m.instance, m.function, m.digests };
	return true;
}

void wire_missing_pack(const struct wire_digests *missing, struct rx_buf *out)
{
	size_t n = digests_size(missing);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	put_digests(p, 2, missing);
	rx_buf_grew(out, n);
}

bool wire_missing_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
			 struct wire_digests *out, struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "FindMissingBlobsResponse", &marks, err);
	struct wire_digests m = { 0 };
	enum wire_step step;
	size_t n;

	if (!check_size(bytes, r.message, err) || !count_key(r, WIRE_KEY(2, WIRE_BYTES), &n))
		return false;
	m.v = ARENA_ARRAY(a, struct digest, n);
	while ((step = wire_next(&r)) == WIRE_FIELD)
		if (r.key == WIRE_KEY(2, WIRE_BYTES) &&
		    !read_digest(&r, "missing_blob_digests", &f, &m.v[m.n++]))
			return false;
	if (step == WIRE_BAD)
		return false;
	*out = m;
	return true;
}

size_t wire_update_header_size(const char *instance, enum digest_function f)
{
	return wire_text_size(instance) + wire_number_size(f);
}

static size_t update_content_size(const struct digest *d)
{
	return wire_digest_field_size(d) + (d->size ? wire_bytes_size((size_t)d->size) : 0);
}

size_t wire_update_entry_size(const struct digest *d)
{
	return wire_bytes_size(update_content_size(d)); /* REAPI rule 47 */
}

void wire_update_add_header(struct rx_buf *out, const char *instance, enum digest_function f)
{
	size_t n = wire_update_header_size(instance, f);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	p = wire_put_text(p, 1, instance);
	wire_put_number(p, 5, f);
	rx_buf_grew(out, n);
}

char *wire_update_add_entry(struct rx_buf *out, const struct digest *d)
{
	size_t n = wire_update_entry_size(d);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return NULL;
	p = wire_put_length(p, 2, update_content_size(d));
	p = wire_put_digest(p, 1, d);
	if (d->size)
		p = wire_put_length(p, 2, (size_t)d->size);
	rx_buf_grew(out, n);
	return p;
}

static bool read_update_entry(struct arena *a, struct wire_reader *r, enum digest_function *f,
			      struct wire_update_entry *out)
{
	RX_CLEANUP(rx_err_release) struct rx_err why = { 0 };
	struct wire_digest_parts digest = { 0 };
	enum wire_step step;
	struct wire_reader in;

	if (!wire_enter(r, "BatchUpdateBlobsRequest.Request", &in))
		return false;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		switch (in.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			if (!wire_read_digest(&in, &digest))
				return false;
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			out->data = in.bytes;
			break;
		case WIRE_KEY(3, WIRE_VARINT):
			out->compressor = (enum compressor)wire_int32(&in);
			break;
		default:
			break;
		}
	}
	if (step == WIRE_BAD)
		return false;
	/* REAPI rule 61: a wrong digest is the entry's own failure */
	in.err = &why;
	out->digest_ok = wire_make_digest(&in, "digest", &digest, f, &out->digest);
	if (!out->digest_ok)
		out->why = arena_str(a, rx_err_text(&why));
	return true;
}

bool wire_update_unpack(struct arena *a, struct rx_view bytes, struct wire_update *out,
			struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, "BatchUpdateBlobsRequest", &marks, err);
	struct wire_update m = { 0 };
	struct rx_view instance = { 0 };
	enum wire_step step;
	size_t n;

	if (!check_size(bytes, r.message, err) || !count_key(r, WIRE_KEY(2, WIRE_BYTES), &n))
		return false;
	m.function = (enum digest_function)find_number(r, 5);
	m.entries = ARENA_ARRAY(a, struct wire_update_entry, n);
	while ((step = wire_next(&r)) == WIRE_FIELD) {
		if (r.key == WIRE_KEY(1, WIRE_BYTES)) {
			if (!wire_text(&r, "instance_name", &instance))
				return false;
		} else if (r.key == WIRE_KEY(2, WIRE_BYTES)) {
			if (!read_update_entry(a, &r, &m.function, &m.entries[m.n++]))
				return false;
		}
	}
	if (step == WIRE_BAD)
		return false;
	m.instance = keep(a, instance);
	*out = m;
	return true;
}

/* The answers of both batch calls differ in numbers: status is 2 or 3, and reads have data and a
 * compressor beside it. */
struct answer_shape {
	const char *message;
	unsigned data, status, compressor; /* 0 = has none */
};
static const struct answer_shape update_answer = {
	.message = "BatchUpdateBlobsResponse.Response",
	.status = 2,
};
static const struct answer_shape read_answer = {
	.message = "BatchReadBlobsResponse.Response",
	.data = 2,
	.status = 3,
	.compressor = 4,
};

static size_t status_size(const struct wire_blob_status *s)
{
	/* REAPI rule 62: none is OK */
	return s->code ? wire_number_size((uint64_t)(int64_t)s->code) + wire_text_size(s->message)
		       : 0;
}

static size_t answer_size(const struct answer_shape *shape, const struct wire_blob_status *s)
{
	size_t n = digest_is_set(&s->digest) ? wire_digest_field_size(&s->digest) : 0;

	if (shape->data && s->data.n)
		n += wire_bytes_size(s->data.n);
	if (s->code)
		n += wire_bytes_size(status_size(s));
	if (shape->compressor)
		n += wire_number_size(s->compressor);
	return n;
}

static char *put_answer(char *p, const struct answer_shape *shape, const struct wire_blob_status *s)
{
	p = wire_put_length(p, 1, answer_size(shape, s));
	if (digest_is_set(&s->digest))
		p = wire_put_digest(p, 1, &s->digest);
	if (shape->data && s->data.n)
		p = wire_put_bytes(p, shape->data, s->data.p, s->data.n);
	if (s->code) {
		p = wire_put_length(p, shape->status, status_size(s));
		p = wire_put_number(p, 1, (uint64_t)(int64_t)s->code);
		p = wire_put_text(p, 2, s->message);
	}
	return shape->compressor ? wire_put_number(p, shape->compressor, s->compressor) : p;
}

static void pack_answers(const struct answer_shape *shape, const struct wire_blob_statuses *m,
			 struct rx_buf *out)
{
	size_t n = 0;
	char *p;

	for (size_t i = 0; i < m->n; i++)
		n += wire_bytes_size(answer_size(shape, &m->v[i]));
	p = rx_buf_reserve(out, n);
	if (!p)
		return;
	for (size_t i = 0; i < m->n; i++)
		p = put_answer(p, shape, &m->v[i]);
	rx_buf_grew(out, n);
}

static bool read_status(struct arena *a, struct wire_reader *r, struct wire_blob_status *out)
{
	struct rx_view message = { 0 };
	enum wire_step step;
	struct wire_reader in;

	if (!wire_enter(r, "Status", &in))
		return false;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		if (in.key == WIRE_KEY(1, WIRE_VARINT))
			out->code = wire_int32(&in);
		else if (in.key == WIRE_KEY(2, WIRE_BYTES) && !wire_text(&in, "message", &message))
			return false;
	}
	if (message.n) {
		size_t n = RX_MIN(message.n, (size_t)LIMIT_STATUS_MESSAGE);

		while (n < message.n && n && ((unsigned char)message.p[n] & 0xc0) == 0x80)
			n--; /* no torn characters */
		out->message = arena_strn(a, message.p, n);
	}
	return step == WIRE_END;
}

static bool read_answer_entry(struct arena *a, struct wire_reader *r,
			      const struct answer_shape *shape, enum digest_function *f,
			      struct wire_blob_status *out)
{
	struct wire_digest_parts digest = { 0 };
	enum wire_step step;
	struct wire_reader in;

	out->message = "";
	if (!wire_enter(r, shape->message, &in))
		return false;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		if (in.key == WIRE_KEY(1, WIRE_BYTES)) {
			if (!wire_read_digest(&in, &digest))
				return false;
		} else if (in.key == WIRE_KEY(shape->status, WIRE_BYTES)) {
			if (!read_status(a, &in, out))
				return false;
		} else if (shape->data && in.key == WIRE_KEY(shape->data, WIRE_BYTES)) {
			out->data = in.bytes;
		} else if (shape->compressor &&
			   in.key == WIRE_KEY(shape->compressor, WIRE_VARINT)) {
			out->compressor = (enum compressor)wire_int32(&in);
		}
	}
	return step == WIRE_END && wire_make_digest(&in, "digest", &digest, f, &out->digest);
}

static bool read_answers(struct arena *a, struct rx_view bytes, const char *message,
			 const struct answer_shape *shape, enum digest_function f,
			 struct wire_blob_statuses *out, struct rx_err *err)
{
	unsigned marks = 0;
	struct wire_reader r = wire_reader(bytes, message, &marks, err);
	struct wire_blob_statuses m = { 0 };
	enum wire_step step;
	size_t n;

	if (!check_size(bytes, message, err) || !count_key(r, WIRE_KEY(1, WIRE_BYTES), &n))
		return false;
	m.v = ARENA_ARRAY(a, struct wire_blob_status, n);
	while ((step = wire_next(&r)) == WIRE_FIELD)
		if (r.key == WIRE_KEY(1, WIRE_BYTES) &&
		    !read_answer_entry(a, &r, shape, &f, &m.v[m.n++]))
			return false;
	if (step == WIRE_BAD)
		return false;
	*out = m;
	return true;
}

void wire_update_reply_pack(const struct wire_blob_statuses *m, struct rx_buf *out)
{
	pack_answers(&update_answer, m, out);
}

bool wire_update_reply_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
			      struct wire_blob_statuses *out, struct rx_err *err)
{
	return read_answers(a, bytes, "BatchUpdateBlobsResponse", &update_answer, f, out, err);
}

void wire_read_pack(const struct wire_read *m, struct rx_buf *out)
{
	size_t n = wire_text_size(m->instance) + digests_size(&m->digests) +
		   (m->accepts_zstd ? 3 : 0) + wire_number_size(m->function);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	p = wire_put_text(p, 1, m->instance);
	p = put_digests(p, 2, &m->digests);
	if (m->accepts_zstd) { /* packed: a list of one */
		p = wire_put_length(p, 3, 1);
		p = wire_put_varint(p, COMPRESSOR_ZSTD);
	}
	wire_put_number(p, 4, m->function);
	rx_buf_grew(out, n);
}

bool wire_read_unpack(struct arena *a, struct rx_view bytes, struct wire_read *out,
		      struct rx_err *err)
{
	struct asking m = { .message = "BatchReadBlobsRequest",
			    .list = "digests",
			    .function_number = 4,
			    .accepts_number = 3 };

	if (!read_asking(a, bytes, &m, err))
		return false;
	*out = (struct wire_read){ m.instance, m.function, m.digests, m.accepts_zstd };
	return true;
}

void wire_read_reply_pack(const struct wire_blob_statuses *m, struct rx_buf *out)
{
	pack_answers(&read_answer, m, out);
}

bool wire_read_reply_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
			    struct wire_blob_statuses *out, struct rx_err *err)
{
	return read_answers(a, bytes, "BatchReadBlobsResponse", &read_answer, f, out, err);
}

/* An OK entry of a read has the very fields of an update's entry: digest 1, data 2. */
size_t wire_read_reply_entry_size(const struct digest *d)
{
	return wire_update_entry_size(d);
}

char *wire_read_reply_add_entry(struct rx_buf *out, const struct digest *d)
{
	size_t n = wire_read_reply_entry_size(d);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return NULL;
	p = wire_put_length(p, 1, update_content_size(d));
	p = wire_put_digest(p, 1, d);
	if (d->size)
		p = wire_put_length(p, 2, (size_t)d->size);
	rx_buf_grew(out, n);
	return p;
}
