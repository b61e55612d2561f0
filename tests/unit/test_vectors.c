/* test_vectors: every vector of testdata/reapi.json, whose bytes three other encoders agree on. */
#include <criterion/criterion.h>
#include <fcntl.h>

#include "file.h"
#include "remote_execution.pb-c.h"
#include "vector_pb.h"
#include "wire_action.h"
#include "wire_bytestream.h"
#include "wire_cas.h"
#include "wire_execution.h"
#include "wire_scan.h"
#include "wire_tree.h"

static struct arena arena;
static struct jsondoc *doc;
static struct rx_err err;

static void load(void)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf text = { .max = JSONDOC_MAX_BYTES };

	cr_assert(file_read(AT_FDCWD, TESTDATA "/reapi.json", JSONDOC_MAX_BYTES, &text, &err), "%s",
		  rx_err_text(&err));
	cr_assert(jsondoc_parse(&arena, "reapi.json", arena_view(&arena, rx_view_of(&text)), &doc,
				&err),
		  "%s", rx_err_text(&err));
}

static void unload(void)
{
	arena_release(&arena);
	rx_err_release(&err);
}

TestSuite(vectors, .init = load, .fini = unload);

static const struct jsondoc *list(const char *name)
{
	const struct jsondoc *v = jsondoc_get(doc, name);

	cr_assert(v && v->type == JSON_ARRAY && v->n, "no list %s", name);
	return v;
}

static const char *text(const struct jsondoc *obj, const char *key)
{
	const struct jsondoc *v = jsondoc_get(obj, key);

	return v && v->type == JSON_STRING ? arena_strn(&arena, v->text.p, v->text.n) : "";
}

static int64_t number(const struct jsondoc *obj, const char *key)
{
	int64_t n = 0;
	const struct jsondoc *v = jsondoc_get(obj, key);

	cr_assert(!v || jsondoc_int(v, &n));
	return n;
}

static bool truth(const struct jsondoc *obj, const char *key)
{
	const struct jsondoc *v = jsondoc_get(obj, key);

	return v && v->truth;
}

static const char *short_name(const struct jsondoc *vector)
{
	const char *name = text(vector, "message"), *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static struct rx_view hex(const struct jsondoc *vector, const char *key)
{
	return vector_hex(&arena, jsondoc_get(vector, key));
}

/* JSON into our structs, by hand. */

static struct digest to_digest(const struct jsondoc *v)
{
	struct digest d = { 0 };

	if (v)
		cr_assert(digest_from_parts(DIGEST_UNKNOWN, jsondoc_get(v, "hash")->text,
					    number(v, "size_bytes"), &d, &err),
			  "%s", rx_err_text(&err));
	return d;
}

static struct node_properties to_properties(const struct jsondoc *v)
{
	struct node_properties p = { .present = v != NULL };
	const struct jsondoc *l = jsondoc_get(v, "properties"), *t = jsondoc_get(v, "mtime"),
			     *mode = jsondoc_get(v, "unix_mode");

	p.n = l ? l->n : 0;
	p.properties = ARENA_ARRAY(&arena, struct node_property, p.n);
	for (size_t i = 0; i < p.n; i++)
		p.properties[i] = (struct node_property){ text(&l->items[i], "name"),
							  text(&l->items[i], "value") };
	p.has_mtime = t != NULL;
	p.mtime_s = number(t, "seconds");
	p.mtime_ns = (int32_t)number(t, "nanos");
	p.has_mode = mode != NULL;
	p.mode = (uint32_t)number(mode, "value");
	return p;
}

static struct directory to_directory(const struct jsondoc *v)
{
	struct directory d = { .props = to_properties(jsondoc_get(v, "node_properties")) };
	const struct jsondoc *files = jsondoc_get(v, "files"),
			     *dirs = jsondoc_get(v, "directories"),
			     *links = jsondoc_get(v, "symlinks");

	d.n_files = files ? files->n : 0;
	d.files = ARENA_ARRAY(&arena, struct file_node, d.n_files);
	for (size_t i = 0; i < d.n_files; i++)
		d.files[i] = (struct file_node){
			.name = text(&files->items[i], "name"),
			.digest = to_digest(jsondoc_get(&files->items[i], "digest")),
			.is_executable = truth(&files->items[i], "is_executable"),
			.props = to_properties(jsondoc_get(&files->items[i], "node_properties")),
		};
	d.n_dirs = dirs ? dirs->n : 0;
	d.dirs = ARENA_ARRAY(&arena, struct directory_node, d.n_dirs);
	for (size_t i = 0; i < d.n_dirs; i++)
		d.dirs[i] = (struct directory_node){
			.name = text(&dirs->items[i], "name"),
			.digest = to_digest(jsondoc_get(&dirs->items[i], "digest")),
		};
	d.n_links = links ? links->n : 0;
	d.links = ARENA_ARRAY(&arena, struct symlink_node, d.n_links);
	for (size_t i = 0; i < d.n_links; i++)
		d.links[i] = (struct symlink_node){
			.name = text(&links->items[i], "name"),
			.target = text(&links->items[i], "target"),
			.props = to_properties(jsondoc_get(&links->items[i], "node_properties")),
		};
	return d;
}

static const char **to_strings(const struct jsondoc *v, size_t *n)
{
	const char **out = ARENA_ARRAY(&arena, const char *, v ? v->n : 0);

	*n = v ? v->n : 0;
	for (size_t i = 0; i < *n; i++)
		out[i] = arena_strn(&arena, v->items[i].text.p, v->items[i].text.n);
	return out;
}

static struct action_pair *to_pairs(const struct jsondoc *v, size_t *n)
{
	struct action_pair *out = ARENA_ARRAY(&arena, struct action_pair, v ? v->n : 0);

	*n = v ? v->n : 0;
	for (size_t i = 0; i < *n; i++)
		out[i] = (struct action_pair){ text(&v->items[i], "name"),
					       text(&v->items[i], "value") };
	return out;
}

static struct action to_command(const struct jsondoc *v)
{
	struct action a = { .cwd = text(v, "working_directory") };
	const struct jsondoc *platform = jsondoc_get(v, "platform");

	a.argv = to_strings(jsondoc_get(v, "arguments"), &a.n_argv);
	a.env = to_pairs(jsondoc_get(v, "environment_variables"), &a.n_env);
	a.output_paths = to_strings(jsondoc_get(v, "output_paths"), &a.n_output_paths);
	a.output_files = to_strings(jsondoc_get(v, "output_files"), &a.n_output_files);
	a.output_directories =
		to_strings(jsondoc_get(v, "output_directories"), &a.n_output_directories);
	a.output_node_properties =
		to_strings(jsondoc_get(v, "output_node_properties"), &a.n_output_node_properties);
	a.output_format = (enum output_format)number(v, "output_directory_format");
	a.has_command_platform = platform != NULL;
	a.command_platform = to_pairs(jsondoc_get(platform, "properties"), &a.n_command_platform);
	return a;
}

static struct action to_action(const struct jsondoc *v)
{
	struct action a = { .do_not_cache = truth(v, "do_not_cache") };
	const struct jsondoc *timeout = jsondoc_get(v, "timeout"),
			     *platform = jsondoc_get(v, "platform"), *salt = jsondoc_get(v, "salt");

	a.command_digest = to_digest(jsondoc_get(v, "command_digest"));
	a.input_root = to_digest(jsondoc_get(v, "input_root_digest"));
	a.has_timeout = timeout != NULL;
	a.timeout_s = number(timeout, "seconds");
	a.timeout_ns = (int32_t)number(timeout, "nanos");
	if (salt)
		a.salt = vector_hex(&arena, jsondoc_get(salt, "$hex"));
	a.has_platform = platform != NULL;
	a.platform = to_pairs(jsondoc_get(platform, "properties"), &a.n_platform);
	return a;
}

static void pack_tree(const struct jsondoc *v, struct rx_buf *out)
{
	const struct jsondoc *root = jsondoc_get(v, "root"), *children = jsondoc_get(v, "children");
	struct wire_tree t = { .has_root = root != NULL, .n_children = children ? children->n : 0 };

	t.children = ARENA_ARRAY(&arena, struct rx_view, t.n_children);
	for (size_t i = 0; i <= t.n_children; i++) {
		RX_CLEANUP(rx_buf_release) struct rx_buf one = { 0 };
		struct directory d = { 0 };

		if (i)
			d = to_directory(&children->items[i - 1]);
		else if (root)
			d = to_directory(root);
		wire_directory_pack(&d, &one);
		if (i)
			t.children[i - 1] = arena_view(&arena, rx_view_of(&one));
		else
			t.root = arena_view(&arena, rx_view_of(&one));
	}
	wire_tree_pack(&t, out);
}

/* An Action that is only a platform, so that Platform goes through our own encoder: key, length
 * and the platform's bytes. */
static void pack_platform(const struct jsondoc *v, bool sort, struct rx_buf *out)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf action = { 0 };
	struct action a = { .has_platform = true };
	const char *p;

	a.platform = to_pairs(jsondoc_get(v, "properties"), &a.n_platform);
	if (sort)
		action_canonicalize(&arena, &a);
	wire_action_pack(&a, &action);
	cr_assert(action.n >= 2 && action.p[0] == 0x52);
	for (p = action.p + 1; *p & 0x80; p++)
		;
	p++;
	rx_buf_add(out, p, action.n - (size_t)(p - action.p));
}

/* Through src/wire's encoder; `sort` as a client would before. */
static void pack(const char *message, const struct jsondoc *v, bool sort, struct rx_buf *out)
{
	if (strcmp(message, "Directory") == 0) {
		struct directory d = to_directory(v);

		if (sort)
			directory_sort(&d);
		wire_directory_pack(&d, out);
	} else if (strcmp(message, "Command") == 0) {
		struct action a = to_command(v);

		if (sort)
			action_canonicalize(&arena, &a);
		wire_command_pack(&a, WIRE_OUTPUT_AS_IS, out);
	} else if (strcmp(message, "Action") == 0) {
		struct action a = to_action(v);

		wire_action_pack(&a, out);
	} else if (strcmp(message, "Platform") == 0) {
		pack_platform(v, sort, out);
	} else {
		cr_assert_str_eq(message, "Tree");
		pack_tree(v, out);
	}
}

/* Refused (false), or read with these marks. Platforms travel in an Action. */
static bool unpack(const char *message, struct rx_view bytes, unsigned *marks)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf wrapped = { 0 };
	struct directory d;
	struct action a = { 0 };
	struct wire_tree t;

	*marks = 0;
	if (strcmp(message, "Directory") == 0) {
		if (!wire_directory_unpack(&arena, bytes, DIGEST_SHA256, &d, &err))
			return false;
		*marks = d.marks;
	} else if (strcmp(message, "Command") == 0) {
		if (!wire_command_unpack(&arena, bytes, &a, &err))
			return false;
		*marks = a.marks;
	} else if (strcmp(message, "Platform") == 0 || strcmp(message, "Action") == 0) {
		if (message[0] == 'P') {
			struct digest empty;

			digest_empty(DIGEST_SHA256, &empty);
			a.command_digest = a.input_root = empty;
			wire_action_pack(&a, &wrapped);
			cr_assert(bytes.n < 128);
			rx_buf_add_char(&wrapped, 0x52);
			rx_buf_add_char(&wrapped, (char)bytes.n);
			rx_buf_add(&wrapped, bytes.p, bytes.n);
			bytes = rx_view_of(&wrapped);
		}
		if (!wire_action_unpack(&arena, bytes, &a, &err))
			return false;
		*marks = a.marks;
	} else if (strcmp(message, "Tree") == 0) {
		if (!wire_tree_unpack(&arena, bytes, &t, &err) ||
		    !wire_tree_check_sorted(&t, DIGEST_SHA256, &err) ||
		    !wire_tree_check_complete(&t, DIGEST_SHA256, &err))
			return false;
		*marks = t.marks;
	} else {
		const ProtobufCMessageDescriptor *desc = vector_descriptor(rx_view_str(message));
		struct rx_view clean;

		cr_assert(desc, "no descriptor for %s", message);
		return wire_scan(&arena, desc, bytes, marks, &clean, &err);
	}
	return true;
}

static void expect_bytes(struct rx_view is, struct rx_view want, const char *id, const char *how)
{
	cr_expect(rx_view_eq(is, want), "%s: %s gives %zu bytes, want %zu, or they differ", id, how,
		  is.n, want.n);
}

Test(vectors, rule_1_canonical_messages_are_encoded_to_the_very_bytes)
{
	const struct jsondoc *vectors = list("vectors");
	size_t n = 0;

	for (size_t i = 0; i < vectors->n; i++) {
		const struct jsondoc *v = &vectors->items[i];
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { .max = 1 << 20 };
		struct digest d;
		char text_hex[129];

		if (strcmp(text(v, "canonical_kind"), "canonical") != 0)
			continue;
		n++;
		pack(short_name(v), jsondoc_get(v, "logical"), false, &out);
		expect_bytes(rx_view_of(&out), hex(v, "hex"), text(v, "id"), "packing");
		digest_of_view(DIGEST_SHA256, rx_view_of(&out), &d);
		digest_hex(&d, text_hex);
		cr_expect_str_eq(text_hex, text(v, "sha256"), "%s: digest", text(v, "id"));
		cr_expect_eq(d.size, number(v, "size"), "%s: size", text(v, "id"));
	}
	cr_expect_geq(n, 40);
}

Test(vectors, rules_8_to_16_sorting_makes_unsorted_input_canonical)
{
	const struct jsondoc *vectors = list("vectors");
	size_t n = 0;

	for (size_t i = 0; i < vectors->n; i++) {
		const struct jsondoc *v = &vectors->items[i];
		RX_CLEANUP(rx_buf_release)
		struct rx_buf out = { .max = 1 << 20 }, raw = { .max = 1 << 20 };
		unsigned marks;

		if (!jsondoc_get(v, "input_unsorted"))
			continue;
		n++;
		pack(short_name(v), jsondoc_get(v, "input_unsorted"), true, &out);
		expect_bytes(rx_view_of(&out), hex(v, "hex"), text(v, "id"), "sorting and packing");
		pack(short_name(v), jsondoc_get(v, "input_unsorted"), false, &raw);
		expect_bytes(rx_view_of(&raw), hex(v, "hex_unsorted"), text(v, "id"),
			     "packing as given");
		cr_expect(unpack(short_name(v), hex(v, "hex_unsorted"), &marks) &&
				  marks & MARK_UNSORTED,
			  "%s: unsorted bytes must be marked", text(v, "id"));
	}
	cr_expect_geq(n, 8);
}

Test(vectors, canonical_messages_come_without_marks_and_go_back_unchanged)
{
	const struct jsondoc *vectors = list("vectors");

	for (size_t i = 0; i < vectors->n; i++) {
		const struct jsondoc *v = &vectors->items[i];
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { .max = 1 << 20 };
		struct rx_view bytes = hex(v, "hex");
		struct action a = { 0 };
		struct directory d;
		unsigned marks;

		if (strcmp(text(v, "canonical_kind"), "canonical") != 0 ||
		    strcmp(text(v, "id"), "tree-none") == 0)
			continue;
		cr_expect(unpack(short_name(v), bytes, &marks), "%s: %s", text(v, "id"),
			  rx_err_text(&err));
		cr_expect_eq(marks & ~(unsigned)MARK_SYMLINK_ABSOLUTE, 0, "%s: marks %x",
			     text(v, "id"), marks);
		if (strcmp(short_name(v), "Directory") == 0) {
			cr_assert(wire_directory_unpack(&arena, bytes, DIGEST_UNKNOWN, &d, &err));
			wire_directory_pack(&d, &out);
		} else if (strcmp(short_name(v), "Command") == 0) {
			cr_assert(wire_command_unpack(&arena, bytes, &a, &err));
			wire_command_pack(&a, WIRE_OUTPUT_AS_IS, &out);
		} else if (strcmp(short_name(v), "Action") == 0) {
			cr_assert(wire_action_unpack(&arena, bytes, &a, &err));
			wire_action_pack(&a, &out);
		} else {
			continue;
		}
		expect_bytes(rx_view_of(&out), bytes, text(v, "id"), "unpacking and packing");
	}
}

/* Every field, also those that our structs have no use for. */
static void check_decoding(const struct jsondoc *v)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf why = { 0 };
	const ProtobufCMessageDescriptor *d = vector_descriptor(jsondoc_get(v, "message")->text);
	unsigned marks = 0;
	ProtobufCMessage *m;

	cr_assert(d, "%s: no descriptor for %s", text(v, "id"), text(v, "message"));
	m = wire_unpack(&arena, d, hex(v, "hex"), 1 << 20, &marks, &err);
	cr_expect(m, "%s: %s", text(v, "id"), rx_err_text(&err));
	if (m)
		cr_expect(vector_equal(m, jsondoc_get(v, "logical"), d->short_name, &why), "%s: %s",
			  text(v, "id"), rx_buf_str(&why));
	rx_err_reset(&err);
}

Test(vectors, rule_20_every_field_is_decoded)
{
	const struct jsondoc *vectors = list("vectors");

	for (size_t i = 0; i < vectors->n; i++)
		check_decoding(&vectors->items[i]);
}

Test(vectors, rules_3_to_5_descriptors_encode_to_the_same_bytes)
{
	const struct jsondoc *vectors = list("vectors");

	for (size_t i = 0; i < vectors->n; i++) {
		const struct jsondoc *v = &vectors->items[i];
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { .max = 1 << 20 };

		wire_pack(vector_build(&arena, vector_descriptor(jsondoc_get(v, "message")->text),
				       jsondoc_get(v, "logical")),
			  &out);
		expect_bytes(rx_view_of(&out), hex(v, "hex"), text(v, "id"), "protobuf-c");
	}
}

Test(vectors, rules_1_to_17_bad_messages_are_refused_or_marked)
{
	const struct jsondoc *bad = list("must_reject_or_flag");

	for (size_t i = 0; i < bad->n; i++) {
		const struct jsondoc *v = &bad->items[i];
		unsigned marks;

		if (unpack(short_name(v), hex(v, "hex"), &marks))
			cr_expect(marks, "%s: %s passes unnoticed", text(v, "id"), text(v, "why"));
		else
			cr_expect(err.code == RX_EPARSE && err.msg.n,
				  "%s: refused without a reason", text(v, "id"));
		rx_err_reset(&err);
	}
}

Test(vectors, rule_20_odd_but_legal_messages_are_taken)
{
	const struct jsondoc *good = list("must_accept");

	for (size_t i = 0; i < good->n; i++)
		check_decoding(&good->items[i]);
}

Test(vectors, odd_but_legal_messages_are_taken_by_hand_written_readers)
{
	const struct jsondoc *good = list("must_accept");

	for (size_t i = 0; i < good->n; i++) {
		const struct jsondoc *v = &good->items[i];
		const char *id = text(v, "id"), *message = short_name(v);
		struct rx_view bytes = hex(v, "hex");
		struct wire_digests missing;
		struct wire_operation op;
		int64_t committed;

		if (strcmp(message, "WriteResponse") == 0) {
			cr_expect(wire_write_response_unpack(bytes, &committed, &err), "%s: %s", id,
				  rx_err_text(&err));
			cr_expect_eq(committed, number(jsondoc_get(v, "logical"), "committed_size"),
				     "%s", id);
		} else if (strcmp(message, "FindMissingBlobsResponse") == 0) {
			cr_expect(wire_missing_unpack(&arena, bytes, DIGEST_SHA256, &missing, &err),
				  "%s: %s", id, rx_err_text(&err));
			cr_expect_eq(missing.n, 1);
		} else if (strcmp(id, "tol-order") == 0) {
			cr_expect(wire_operation_unpack(&arena, bytes, DIGEST_SHA256, &op, &err),
				  "%s: %s", id, rx_err_text(&err));
			cr_expect(op.done && strcmp(op.name, "op") == 0);
		}
		rx_err_reset(&err);
	}
}

static enum compressor compressor(const char *name)
{
	static const char *const names[] = { "identity", "zstd", "deflate", "brotli" };
	size_t i = 0;

	while (i < RX_COUNT(names) && strcmp(names[i], name) != 0)
		i++;
	cr_assert_lt(i, RX_COUNT(names), "compressor %s", name);
	return (enum compressor)i;
}

Test(vectors, rules_70_and_152_resource_names_both_ways)
{
	const struct jsondoc *names = list("resource_names");

	for (size_t i = 0; i < names->n; i++) {
		const struct jsondoc *v = &names->items[i];
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { 0 };
		const char *name = text(v, "resource_name"), *metadata = text(v, "metadata");
		enum digest_function f;
		struct resource r;
		struct digest d;

		cr_assert(digest_function_parse(jsondoc_get(v, "digest_function")->text, &f));
		cr_assert(digest_from_parts(f, jsondoc_get(v, "hash")->text, number(v, "size"), &d,
					    &err));
		cr_expect(resource_parse(&arena, rx_view_str(name), &r, &err), "%s: %s", name,
			  rx_err_text(&err));
		cr_expect_str_eq(r.instance, text(v, "instance_name"), "%s", name);
		cr_expect_str_eq(r.metadata, metadata, "%s", name);
		cr_expect_eq(r.upload, strcmp(text(v, "kind"), "upload") == 0, "%s", name);
		cr_expect_eq(r.compressor, compressor(text(v, "compressor")), "%s", name);
		cr_expect(digest_eq(&r.digest, &d), "%s", name);
		if (r.upload) {
			cr_expect_str_eq(r.uuid, text(v, "uuid"), "%s", name);
			resource_add_upload(&out, r.instance, r.uuid, r.compressor, &r.digest);
			if (*metadata)
				rx_buf_addf(&out, "/%s", metadata);
		} else {
			resource_add_download(&out, r.instance, r.compressor, &r.digest);
		}
		cr_expect_str_eq(rx_buf_str(&out), name);
	}
}

Test(vectors, rule_153_bad_resource_names_are_refused)
{
	const struct jsondoc *names = list("resource_names_bad");

	for (size_t i = 0; i < names->n; i++) {
		struct rx_view name = names->items[i].text;
		struct resource r;

		cr_expect(!resource_parse(&arena, name, &r, &err), "'%.*s' is taken", (int)name.n,
			  name.p);
		cr_expect_eq(err.code, RX_EPARSE);
		rx_err_reset(&err);
	}
}

Test(vectors, rule_6_digest_functions)
{
	static const char *const functions[] = { "md5",    "sha1",   "sha256",
						 "sha384", "sha512", "gitsha1" };
	const struct jsondoc *data = list("digest_functions");

	for (size_t i = 0; i < data->n; i++) {
		const struct jsondoc *v = &data->items[i], *repeat = jsondoc_get(v, "data_repeat");
		RX_CLEANUP(rx_buf_release) struct rx_buf bytes = { 0 };

		if (repeat && repeat->type == JSON_OBJECT) {
			struct rx_view one = hex(repeat, "byte");

			for (int64_t k = 0; k < number(repeat, "count"); k++)
				rx_buf_add(&bytes, one.p, one.n);
		} else {
			struct rx_view all = hex(v, "data_hex");

			rx_buf_add(&bytes, all.p, all.n);
		}
		for (size_t k = 0; k < RX_COUNT(functions); k++) {
			enum digest_function f;
			struct digest d;
			char is[129];

			cr_assert(digest_function_parse(rx_view_str(functions[k]), &f));
			digest_of_view(f, rx_view_of(&bytes), &d);
			digest_hex(&d, is);
			cr_expect_str_eq(is, text(v, functions[k]), "%s of %s", functions[k],
					 text(v, "name"));
			cr_expect_eq(d.size, (int64_t)bytes.n);
		}
	}
}

Test(vectors, rule_47_sizes_of_batch_requests)
{
	const struct jsondoc *cases = list("batch_update_sizes");

	for (size_t i = 0; i < cases->n; i++) {
		const struct jsondoc *v = &cases->items[i], *sizes = jsondoc_get(v, "sizes");
		RX_CLEANUP(rx_buf_release) struct rx_buf out = { .max = 16 << 20 };
		enum digest_function f = (enum digest_function)number(v, "digest_function");
		const char *instance = text(v, "instance_name");
		size_t said = wire_update_header_size(instance, f);
		Re__BatchUpdateBlobsRequest *m;
		unsigned marks = 0;

		wire_update_add_header(&out, instance, f);
		cr_expect_eq(out.n, said);
		for (size_t k = 0; k < sizes->n; k++) {
			struct digest d = { .len = 32, .function = DIGEST_SHA256 };
			char *data;

			cr_assert(jsondoc_int(&sizes->items[k], &d.size));
			said += wire_update_entry_size(&d);
			data = wire_update_add_entry(&out, &d);
			cr_assert(data);
			memset(data, 'x', (size_t)d.size);
			cr_expect_eq(out.n, said, "case %zu, entry %zu", i, k);
		}
		cr_expect_eq((int64_t)out.n, number(v, "encoded_request_size"), "case %zu", i);
		/* and protobuf-c reads it as what it should be */
		m = wire_unpack(&arena, &re__batch_update_blobs_request__descriptor,
				rx_view_of(&out), 16 << 20, &marks, &err);
		cr_assert(m, "%s", rx_err_text(&err));
		cr_expect_eq(m->n_requests, sizes->n);
		cr_expect_str_eq(m->instance_name, instance);
		for (size_t k = 0; k < sizes->n; k++)
			cr_expect_eq((int64_t)m->requests[k]->data.len,
				     m->requests[k]->digest->size_bytes);
	}
}
