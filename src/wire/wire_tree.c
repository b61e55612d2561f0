/* wire_tree: Directory by hand in both directions, as trees have hundreds of thousands of nodes,
 * and Tree as the records it is made of. */
#include "wire_tree.h"

#include "wire_digest.h"

/* Packing: sizes first, then one reservation, then bytes. */

static uint64_t sign_extend(int32_t v)
{
	return (uint64_t)(int64_t)v; /* REAPI rule 5 */
}

static size_t property_size(const struct node_property *p)
{
	return wire_text_size(p->name) + wire_text_size(p->value);
}

static size_t time_size(const struct node_properties *p)
{
	return wire_number_size((uint64_t)p->mtime_s) + wire_number_size(sign_extend(p->mtime_ns));
}

static size_t properties_size(const struct node_properties *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += wire_bytes_size(property_size(&p->properties[i]));
	if (p->has_mtime)
		n += wire_bytes_size(time_size(p));
	if (p->has_mode)
		n += wire_bytes_size(wire_number_size(p->mode));
	return n;
}

static size_t properties_field_size(const struct node_properties *p)
{
	return p->present ? wire_bytes_size(properties_size(p)) : 0;
}

/* REAPI rule 3: what is set but empty is written. */
static char *put_properties(char *out, unsigned number, const struct node_properties *p)
{
	if (!p->present)
		return out;
	out = wire_put_length(out, number, properties_size(p));
	for (size_t i = 0; i < p->n; i++) {
		out = wire_put_length(out, 1, property_size(&p->properties[i]));
		out = wire_put_text(out, 1, p->properties[i].name);
		out = wire_put_text(out, 2, p->properties[i].value);
	}
	if (p->has_mtime) {
		out = wire_put_length(out, 2, time_size(p));
		out = wire_put_number(out, 1, (uint64_t)p->mtime_s);
		out = wire_put_number(out, 2, sign_extend(p->mtime_ns));
	}
	if (p->has_mode) {
		out = wire_put_length(out, 3, wire_number_size(p->mode));
		out = wire_put_number(out, 1, p->mode);
	}
	return out;
}

static size_t file_size(const struct file_node *f)
{
	return wire_text_size(f->name) + wire_digest_field_size(&f->digest) +
	       (f->is_executable ? 2 : 0) + properties_field_size(&f->props);
}

static size_t dir_size(const struct directory_node *d)
{
	return wire_text_size(d->name) + wire_digest_field_size(&d->digest);
}

static size_t link_size(const struct symlink_node *l)
{
	return wire_text_size(l->name) + wire_text_size(l->target) +
	       properties_field_size(&l->props);
}

static size_t directory_size(const struct directory *d)
{
	size_t n = properties_field_size(&d->props);

	for (size_t i = 0; i < d->n_files; i++)
		n += wire_bytes_size(file_size(&d->files[i]));
	for (size_t i = 0; i < d->n_dirs; i++)
		n += wire_bytes_size(dir_size(&d->dirs[i]));
	for (size_t i = 0; i < d->n_links; i++)
		n += wire_bytes_size(link_size(&d->links[i]));
	return n;
}

void wire_directory_pack(const struct directory *d, struct rx_buf *out)
{
	size_t n = directory_size(d);
	char *p = rx_buf_reserve(out, n);

	if (!p)
		return;
	for (size_t i = 0; i < d->n_files; i++) {
		const struct file_node *f = &d->files[i];

		p = wire_put_length(p, 1, file_size(f));
		p = wire_put_text(p, 1, f->name);
		p = wire_put_digest(p, 2, &f->digest);
		p = wire_put_number(p, 4, f->is_executable);
		p = put_properties(p, 6, &f->props);
	}
	for (size_t i = 0; i < d->n_dirs; i++) {
		p = wire_put_length(p, 2, dir_size(&d->dirs[i]));
		p = wire_put_text(p, 1, d->dirs[i].name);
		p = wire_put_digest(p, 2, &d->dirs[i].digest);
	}
	for (size_t i = 0; i < d->n_links; i++) {
		p = wire_put_length(p, 3, link_size(&d->links[i]));
		p = wire_put_text(p, 1, d->links[i].name);
		p = wire_put_text(p, 2, d->links[i].target);
		p = put_properties(p, 4, &d->links[i].props);
	}
	put_properties(p, 5, &d->props);
	rx_buf_grew(out, n);
}

/* Unpacking: straight into the struct. */

struct reading {
	struct arena *arena;
	enum digest_function function;
};

static const char *keep(struct reading *c, struct rx_view v)
{
	return arena_strn(c->arena, v.p, v.n);
}

static bool read_property(struct reading *c, struct wire_reader *r, struct node_property *out)
{
	struct rx_view name = { 0 }, value = { 0 };
	enum wire_step step;
	struct wire_reader in;

	if (!wire_enter(r, "NodeProperty", &in))
		return false;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		switch (in.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			if (!wire_text(&in, "name", &name))
				return false;
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			if (!wire_text(&in, "value", &value))
				return false;
			break;
		default:
			wire_unknown(&in);
		}
	}
	*out = (struct node_property){ keep(c, name), keep(c, value) };
	return step == WIRE_END;
}

static bool read_mtime(struct wire_reader *r, struct node_properties *out)
{
	enum wire_step step;
	struct wire_reader in;

	wire_once(r);
	out->has_mtime = true;
	if (!wire_enter(r, "Timestamp", &in))
		return false;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		switch (in.key) {
		case WIRE_KEY(1, WIRE_VARINT):
			out->mtime_s = wire_int64(&in);
			break;
		case WIRE_KEY(2, WIRE_VARINT):
			out->mtime_ns = wire_int32(&in);
			if (out->mtime_ns < 0 || out->mtime_ns > 999999999)
				return wire_bad(&in, "nanos", "is not within a second");
			break;
		default:
			wire_unknown(&in);
		}
	}
	return step == WIRE_END;
}

static bool read_mode(struct wire_reader *r, struct node_properties *out)
{
	enum wire_step step;
	struct wire_reader in;

	wire_once(r);
	out->has_mode = true;
	if (!wire_enter(r, "UInt32Value", &in))
		return false;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		if (in.key == WIRE_KEY(1, WIRE_VARINT))
			out->mode = wire_uint32(&in);
		else
			wire_unknown(&in);
	}
	return step == WIRE_END;
}

/* Number of fields with this key, in a message that may be broken further on. */
static size_t count_key(const struct wire_reader *r, uint32_t key)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	unsigned marks = 0;
	struct wire_reader c = *r;
	size_t n = 0;

	c.err = &ignored;
	c.marks = &marks;
	while (wire_next(&c) == WIRE_FIELD)
		n += c.key == key;
	return n;
}

static void add_properties(struct reading *c, struct node_properties *out, size_t more)
{
	struct node_property *old = out->properties;

	if (!more)
		return;
	out->properties = ARENA_ARRAY(c->arena, struct node_property, out->n + more);
	if (out->n)
		memcpy(out->properties, old, out->n * sizeof(*old));
}

static bool read_properties(struct reading *c, struct wire_reader *r, struct node_properties *out)
{
	enum wire_step step;
	struct wire_reader in;

	wire_once(r);
	out->present = true;
	if (!wire_enter(r, "NodeProperties", &in))
		return false;
	add_properties(c, out, count_key(&in, WIRE_KEY(1, WIRE_BYTES)));
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		switch (in.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			if (!read_property(c, &in, &out->properties[out->n++]))
				return false;
			/* REAPI rule 12: the name may repeat */
			if (out->n > 1 && strcmp(out->properties[out->n - 2].name,
						 out->properties[out->n - 1].name) > 0)
				*in.marks |= MARK_UNSORTED;
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			if (!read_mtime(&in, out))
				return false;
			break;
		case WIRE_KEY(3, WIRE_BYTES):
			if (!read_mode(&in, out))
				return false;
			break;
		default:
			wire_unknown(&in);
		}
	}
	return step == WIRE_END;
}

/* REAPI rules 9 and 10: one path segment. NUL and UTF-8 were checked when it was read. */
static bool check_name(struct wire_reader *r, struct rx_view name)
{
	if (!name.n)
		return wire_bad(r, "name", "is empty");
	if (rx_view_eq_str(name, ".") || rx_view_eq_str(name, ".."))
		return wire_bad(r, "name", "is '.' or '..'");
	if (memchr(name.p, '/', name.n))
		return wire_bad(r, "name", "holds a slash");
	if (name.n > LIMIT_NAME_BYTES)
		return rx_fail(r->err, RX_ELIMIT, "%s.name: %zu bytes, limit %d", r->message,
			       name.n, LIMIT_NAME_BYTES);
	return true;
}

/* What FileNode has beyond DirectoryNode. */
static bool read_file_field(struct reading *c, struct wire_reader *in, struct file_node *out)
{
	switch (in->key) {
	case WIRE_KEY(4, WIRE_VARINT):
		out->is_executable = wire_bool(in);
		return true;
	case WIRE_KEY(6, WIRE_BYTES):
		return read_properties(c, in, &out->props);
	default:
		wire_unknown(in);
		return true;
	}
}

/* A name with a digest: a DirectoryNode, or a FileNode, whose other fields go to `file`. */
static bool read_node(struct reading *c, struct wire_reader *in, struct file_node *file,
		      const char **name_out, struct digest *digest_out)
{
	struct wire_digest_parts digest = { 0 };
	struct rx_view name = { 0 };
	enum wire_step step;

	while ((step = wire_next(in)) == WIRE_FIELD) {
		switch (in->key) {
		case WIRE_KEY(1, WIRE_BYTES):
			if (!wire_text(in, "name", &name))
				return false;
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			wire_once(in);
			if (!wire_read_digest(in, &digest))
				return false;
			break;
		default:
			if (!file)
				wire_unknown(in);
			else if (!read_file_field(c, in, file))
				return false;
		}
	}
	if (step == WIRE_BAD || !check_name(in, name))
		return false;
	*name_out = keep(c, name);
	return wire_make_digest(in, "digest", &digest, &c->function, digest_out);
}

static bool read_file(struct reading *c, struct wire_reader *r, struct file_node *out)
{
	struct wire_reader in;

	return wire_enter(r, "FileNode", &in) && read_node(c, &in, out, &out->name, &out->digest);
}

static bool read_dir(struct reading *c, struct wire_reader *r, struct directory_node *out)
{
	struct wire_reader in;

	return wire_enter(r, "DirectoryNode", &in) &&
	       read_node(c, &in, NULL, &out->name, &out->digest);
}

static bool read_link(struct reading *c, struct wire_reader *r, struct symlink_node *out)
{
	struct rx_view name = { 0 }, target = { 0 };
	enum wire_step step;
	struct wire_reader in;

	if (!wire_enter(r, "SymlinkNode", &in))
		return false;
	while ((step = wire_next(&in)) == WIRE_FIELD) {
		switch (in.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			if (!wire_text(&in, "name", &name))
				return false;
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			if (!wire_text(&in, "target", &target))
				return false;
			break;
		case WIRE_KEY(4, WIRE_BYTES):
			if (!read_properties(c, &in, &out->props))
				return false;
			break;
		default:
			wire_unknown(&in);
		}
	}
	if (step == WIRE_BAD || !check_name(&in, name))
		return false;
	if (!target.n)
		return wire_bad(&in, "target", "is empty");
	if (target.n > LIMIT_PATH_BYTES)
		return rx_fail(in.err, RX_ELIMIT, "SymlinkNode.target: %zu bytes, limit %d",
			       target.n, LIMIT_PATH_BYTES);
	if (target.p[0] == '/')
		*in.marks |= MARK_SYMLINK_ABSOLUTE;
	out->name = keep(c, name);
	out->target = keep(c, target);
	return true;
}

static unsigned order_mark(const char *before, const char *name)
{
	int c = strcmp(before, name);

	return c < 0 ? 0 : c ? MARK_UNSORTED : MARK_DUPLICATE;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* REAPI rule 9: a name occurs once in all three lists together. */
static unsigned find_duplicates(struct arena *a, const struct directory *d)
{
	size_t n = 0, lists = !!d->n_files + !!d->n_dirs + !!d->n_links;
	const char **names;

	if (lists < 2 && !(d->marks & MARK_UNSORTED))
		return 0; /* neighbours were compared */
	names = ARENA_ARRAY(a, const char *, d->n_files + d->n_dirs + d->n_links);
	for (size_t i = 0; i < d->n_files; i++)
		names[n++] = d->files[i].name;
	for (size_t i = 0; i < d->n_dirs; i++)
		names[n++] = d->dirs[i].name;
	for (size_t i = 0; i < d->n_links; i++)
		names[n++] = d->links[i].name;
	qsort(names, n, sizeof(*names), by_string);
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return MARK_DUPLICATE;
	return 0;
}

static bool count_nodes(struct wire_reader r, size_t count[4])
{
	unsigned marks = 0;
	enum wire_step step;

	r.marks = &marks;
	while ((step = wire_next(&r)) == WIRE_FIELD) {
		if ((r.key & 7) != WIRE_BYTES || r.number > 3)
			continue;
		count[r.number]++;
		/* Too short for a hash: reading will stop there, so the rest needs no room. */
		if (r.number < 3 && r.bytes.n < 32)
			break;
	}
	if (step == WIRE_BAD)
		return false;
	if (count[1] + count[2] + count[3] > LIMIT_ELEMENTS)
		return rx_fail(r.err, RX_ELIMIT, "Directory: more than %u entries", LIMIT_ELEMENTS);
	return true;
}

bool wire_directory_unpack(struct arena *a, struct rx_view bytes, enum digest_function f,
			   struct directory *out, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	struct reading c = { a, f };
	struct directory d = { 0 };
	struct wire_reader r = wire_reader(bytes, "Directory", &d.marks, err);
	size_t count[4] = { 0 };
	enum wire_step step;

	if (bytes.n > LIMIT_DIRECTORY_BYTES)
		return rx_fail(err, RX_ELIMIT, "Directory is %zu bytes, limit %u", bytes.n,
			       LIMIT_DIRECTORY_BYTES);
	if (!count_nodes(r, count))
		return false;
	d.files = ARENA_ARRAY(a, struct file_node, count[1]);
	d.dirs = ARENA_ARRAY(a, struct directory_node, count[2]);
	d.links = ARENA_ARRAY(a, struct symlink_node, count[3]);
	while ((step = wire_next(&r)) == WIRE_FIELD) {
		switch (r.key) {
		case WIRE_KEY(1, WIRE_BYTES):
			if (!read_file(&c, &r, &d.files[d.n_files++]))
				return false;
			if (d.n_files > 1)
				d.marks |= order_mark(d.files[d.n_files - 2].name,
						      d.files[d.n_files - 1].name);
			break;
		case WIRE_KEY(2, WIRE_BYTES):
			if (!read_dir(&c, &r, &d.dirs[d.n_dirs++]))
				return false;
			if (d.n_dirs > 1)
				d.marks |= order_mark(d.dirs[d.n_dirs - 2].name,
						      d.dirs[d.n_dirs - 1].name);
			break;
		case WIRE_KEY(3, WIRE_BYTES):
			if (!read_link(&c, &r, &d.links[d.n_links++]))
				return false;
			if (d.n_links > 1)
				d.marks |= order_mark(d.links[d.n_links - 2].name,
						      d.links[d.n_links - 1].name);
			break;
		case WIRE_KEY(5, WIRE_BYTES):
			if (!read_properties(&c, &r, &d.props))
				return false;
			break;
		default:
			wire_unknown(&r);
		}
	}
	if (step == WIRE_BAD)
		return false;
	d.marks |= find_duplicates(&scratch, &d);
	*out = d;
	return true;
}

const struct directory_codec wire_directory_codec = { wire_directory_pack, wire_directory_unpack };
