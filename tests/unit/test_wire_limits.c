/* test_wire_limits: what is too deep, too long or too many fails with a word, and in good time. */
#include <criterion/criterion.h>
#include <sys/mman.h>

#include "wire_ac.h"
#include "wire_action.h"
#include "wire_bytestream.h"
#include "wire_capabilities.h"
#include "wire_cas.h"
#include "wire_execution.h"
#include "wire_tree.h"

#define LEVELS 20000

static struct arena arena;
static struct rx_err err;
static struct rx_buf bytes;

static void init(void)
{
	bytes.max = 1u << 30;
}

static void release(void)
{
	arena_release(&arena);
	rx_err_release(&err);
	rx_buf_release(&bytes);
}

TestSuite(wire_limits, .init = init, .fini = release);

/* Every way in for bytes. */
static bool as_directory(struct rx_view v)
{
	struct directory d;

	return wire_directory_unpack(&arena, v, DIGEST_UNKNOWN, &d, &err);
}

static bool as_tree(struct rx_view v)
{
	struct wire_tree t;

	return wire_tree_unpack(&arena, v, &t, &err);
}

static bool as_command(struct rx_view v)
{
	struct action a = { 0 };

	return wire_command_unpack(&arena, v, &a, &err);
}

static bool as_action(struct rx_view v)
{
	struct action a = { 0 };

	return wire_action_unpack(&arena, v, &a, &err);
}

static bool as_result(struct rx_view v)
{
	struct result r;

	return wire_result_unpack(&arena, v, DIGEST_UNKNOWN, &r, &err);
}

static bool as_operation(struct rx_view v)
{
	struct wire_operation o;

	return wire_operation_unpack(&arena, v, DIGEST_UNKNOWN, &o, &err);
}

static bool as_status(struct rx_view v)
{
	struct wire_status s;

	return wire_status_unpack(&arena, v, &s, &err);
}

static bool as_capabilities(struct rx_view v)
{
	struct wire_capabilities c;

	return wire_capabilities_unpack(&arena, v, &c, &err);
}

static bool as_find(struct rx_view v)
{
	struct wire_find m;

	return wire_find_unpack(&arena, v, &m, &err);
}

static bool as_missing(struct rx_view v)
{
	struct wire_digests m;

	return wire_missing_unpack(&arena, v, DIGEST_UNKNOWN, &m, &err);
}

static bool as_update(struct rx_view v)
{
	struct wire_update m;

	return wire_update_unpack(&arena, v, &m, &err);
}

static bool as_read(struct rx_view v)
{
	struct wire_read m;

	return wire_read_unpack(&arena, v, &m, &err);
}

static bool as_reply(struct rx_view v)
{
	struct wire_blob_statuses m;

	return wire_read_reply_unpack(&arena, v, DIGEST_UNKNOWN, &m, &err);
}

static bool as_page(struct rx_view v)
{
	struct wire_tree_page m;

	return wire_tree_page_unpack(&arena, v, &m, &err);
}

static bool as_write(struct rx_view v)
{
	struct wire_write_request m;

	return wire_write_request_unpack(&arena, v, &m, &err);
}

static bool (*const ways[])(struct rx_view) = {
	as_directory, as_tree,   as_command,      as_action, as_result,
	as_operation, as_status, as_capabilities, as_find,   as_missing,
	as_update,    as_read,   as_reply,        as_page,   as_write,
};

static void repeat(const char *p, size_t n, size_t times)
{
	for (size_t i = 0; i < times; i++)
		rx_buf_add(&bytes, p, n);
}

Test(wire_limits, nested_groups_fail_cleanly)
{
	repeat("\x7b", 1, LEVELS);
	repeat("\x7c", 1, LEVELS);
	for (size_t i = 0; i < RX_COUNT(ways); i++) {
		cr_expect_not(ways[i](rx_view_of(&bytes)), "way %zu", i);
		cr_expect_eq(err.code, RX_ELIMIT, "way %zu: %s", i, rx_err_text(&err));
		rx_err_reset(&err);
	}
	/* as deep as allowed */
	rx_buf_reset(&bytes);
	repeat("\x7b", 1, LIMIT_NESTING - 1);
	repeat("\x7c", 1, LIMIT_NESTING - 1);
	for (size_t i = 0; i < RX_COUNT(ways); i++) {
		cr_expect(ways[i](rx_view_of(&bytes)) || err.code == RX_EPARSE, "way %zu: %s", i,
			  rx_err_text(&err));
		rx_err_reset(&err);
	}
}

/* 20,000 messages, each within the one before: 70 KB that overflow protobuf-c's stack. Nothing of
 * ours nests so deep, so what is inside of a known message is unknown soon. */
Test(wire_limits, nested_messages_fail_cleanly_or_are_unknown)
{
	for (char key = 0x0a; key <= 0x2a; key += 8) {
		RX_CLEANUP(xfreep) char *p = xmalloc(LEVELS * 4 + 8);
		char *at = p + LEVELS * 4 + 8, *end = at;

		for (size_t i = 0; i < LEVELS; i++) {
			size_t n = (size_t)(end - at);

			if (n < 128) {
				*--at = (char)n;
			} else if (n < 128 * 128) {
				*--at = (char)(n >> 7);
				*--at = (char)(n | 0x80);
			} else {
				*--at = (char)(n >> 14);
				*--at = (char)(n >> 7 | 0x80);
				*--at = (char)(n | 0x80);
			}
			*--at = key;
		}
		for (size_t i = 0; i < RX_COUNT(ways); i++) {
			if (!ways[i]((struct rx_view){ at, (size_t)(end - at) }))
				cr_expect(err.code == RX_EPARSE || err.code == RX_ELIMIT);
			rx_err_reset(&err);
		}
	}
}

Test(wire_limits, too_many_bytes_are_refused_unread)
{
	static const struct {
		bool (*way)(struct rx_view);
		size_t limit;
	} limits[] = {
		{ as_directory, LIMIT_DIRECTORY_BYTES }, { as_tree, LIMIT_TREE_BYTES },
		{ as_command, LIMIT_COMMAND_BYTES },     { as_action, LIMIT_ACTION_BYTES },
		{ as_result, LIMIT_RESULT_BYTES },       { as_operation, LIMIT_RESULT_BYTES },
		{ as_status, LIMIT_RESULT_BYTES },       { as_find, LIMIT_MESSAGE_BYTES },
		{ as_update, LIMIT_MESSAGE_BYTES },      { as_reply, LIMIT_MESSAGE_BYTES },
		{ as_page, LIMIT_MESSAGE_BYTES },
	};
	/* never touched, so it takes no memory */
	char *p = mmap(NULL, LIMIT_TREE_BYTES + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	for (size_t i = 0; i < RX_COUNT(limits); i++) {
		cr_expect_not(limits[i].way((struct rx_view){ p, limits[i].limit + 1 }));
		cr_expect_eq(err.code, RX_ELIMIT, "limit %zu: %s", i, rx_err_text(&err));
		rx_err_reset(&err);
	}
	munmap(p, LIMIT_TREE_BYTES + 1);
}

Test(wire_limits, too_many_elements_are_refused)
{
	/* the field that repeats, as an empty message or string */
	static const struct {
		bool (*way)(struct rx_view);
		char key;
	} lists[] = {
		{ as_command, 0x0a }, { as_command, 0x12 }, { as_result, 0x12 },
		{ as_status, 0x1a },  { as_find, 0x12 },    { as_missing, 0x12 },
		{ as_update, 0x12 },  { as_reply, 0x0a },   { as_page, 0x0a },
		{ as_read, 0x12 },
	};

	for (size_t i = 0; i < RX_COUNT(lists); i++) {
		char one[2] = { lists[i].key, 0 };

		rx_buf_reset(&bytes);
		repeat(one, 2, LIMIT_ELEMENTS + 1);
		cr_expect_not(lists[i].way(rx_view_of(&bytes)));
		cr_expect_eq(err.code, RX_ELIMIT, "list %zu: %s", i, rx_err_text(&err));
		rx_err_reset(&err);
	}
}

Test(wire_limits, too_many_packed_numbers_are_refused)
{
	char head[] = { 0x0a, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0 };
	size_t n = LIMIT_ELEMENTS + 1, outer = n + 5;

	for (int i = 0; i < 4; i++) {
		head[1 + i] = (char)((outer >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
		head[6 + i] = (char)((n >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
	}
	rx_buf_add(&bytes, head, sizeof(head));
	repeat("\x01", 1, n);
	cr_expect_not(as_capabilities(rx_view_of(&bytes)));
	cr_expect_eq(err.code, RX_ELIMIT, "%s", rx_err_text(&err));
}

Test(wire_limits, hostile_directories_take_little_memory)
{
	/* 16 million entries that cannot be: the first one ends it */
	repeat("\x0a\x00", 2, 16 << 20);
	cr_expect_not(as_directory(rx_view_of(&bytes)));
	cr_expect_lt(arena.total, 1 << 20);
	rx_err_reset(&err);
	rx_buf_reset(&bytes);
	repeat("\x1a\x06\x0a\x01"
	       "l"
	       "\x12\x01"
	       "t",
	       8, LIMIT_ELEMENTS + 1);
	cr_expect_not(as_directory(rx_view_of(&bytes)));
	cr_expect_eq(err.code, RX_ELIMIT, "%s", rx_err_text(&err));
}

/* One submessage in a million pieces must not take a million times a million steps. */
Test(wire_limits, messages_in_many_pieces_take_linear_time, .timeout = 20)
{
	repeat("\x2a\x02\x0a\x00", 4, 1000000); /* Command.platform */
	cr_expect(as_command(rx_view_of(&bytes)), "%s", rx_err_text(&err));
	rx_buf_reset(&bytes);
	repeat("\x4a\x04\x12\x02\x08\x01", 6, 1000000); /* ActionResult.execution_metadata.queued */
	cr_expect(as_result(rx_view_of(&bytes)), "%s", rx_err_text(&err));
}

static void add_link(size_t name, size_t target)
{
	RX_CLEANUP(xfreep) char *n = xmalloc(name + 1), *t = xmalloc(target + 1);
	struct symlink_node node = { .name = n, .target = t };

	memset(n, 'n', name);
	memset(t, 't', target);
	n[name] = t[target] = 0;
	rx_buf_reset(&bytes);
	wire_directory_pack(&(struct directory){ .links = &node, .n_links = 1 }, &bytes);
}

Test(wire_limits, names_and_targets_have_a_length)
{
	add_link(LIMIT_NAME_BYTES, LIMIT_PATH_BYTES);
	cr_expect(as_directory(rx_view_of(&bytes)), "%s", rx_err_text(&err));
	add_link(LIMIT_NAME_BYTES + 1, 1);
	cr_expect_not(as_directory(rx_view_of(&bytes)));
	cr_expect_eq(err.code, RX_ELIMIT);
	rx_err_reset(&err);
	add_link(1, LIMIT_PATH_BYTES + 1);
	cr_expect_not(as_directory(rx_view_of(&bytes)));
	cr_expect_eq(err.code, RX_ELIMIT);
}

Test(wire_limits, output_paths_have_a_length)
{
	RX_CLEANUP(xfreep) char *path = xmalloc(LIMIT_PATH_BYTES + 2);
	struct result_output o = { .path = path, .kind = NODE_SYMLINK, .target = "t" };

	memset(path, 'p', LIMIT_PATH_BYTES + 1);
	path[LIMIT_PATH_BYTES + 1] = 0;
	wire_result_pack(&(struct result){ .outputs = &o, .n_outputs = 1 }, WIRE_LINKS_NEW, &bytes);
	cr_expect_not(as_result(rx_view_of(&bytes)));
	cr_expect_eq(err.code, RX_ELIMIT);
	rx_err_reset(&err);
	path[LIMIT_PATH_BYTES] = 0;
	rx_buf_reset(&bytes);
	wire_result_pack(&(struct result){ .outputs = &o, .n_outputs = 1 }, WIRE_LINKS_NEW, &bytes);
	cr_expect(as_result(rx_view_of(&bytes)), "%s", rx_err_text(&err));
}

Test(wire_limits, resource_names_have_a_length)
{
	struct wire_write_request m = { .finish = true };
	char *name = arena_zalloc(&arena, RESOURCE_NAME_MAX + 2);

	memset(name, 'r', RESOURCE_NAME_MAX + 1);
	m.resource = name;
	wire_write_request_add_header(&m, 0, &bytes);
	cr_expect_not(as_write(rx_view_of(&bytes)));
	cr_expect_eq(err.code, RX_ELIMIT);
}

Test(wire_limits, text_with_nul_or_bad_utf8_is_refused)
{
	static const struct {
		bool (*way)(struct rx_view);
		char key;
	} strings[] = {
		{ as_command, 0x0a }, { as_command, 0x32 }, { as_operation, 0x0a },
		{ as_status, 0x12 },  { as_find, 0x0a },    { as_update, 0x0a },
		{ as_read, 0x0a },    { as_page, 0x12 },    { as_write, 0x0a },
	};

	for (size_t i = 0; i < RX_COUNT(strings); i++) {
		static const char *const bad[] = { "a\0b", "\xc3(a", "\xed\xa0\x80",
						   "\xf5\x80\x80" };

		for (size_t k = 0; k < RX_COUNT(bad); k++) {
			char text[5] = { strings[i].key, 3 };

			memcpy(text + 2, bad[k], 3);
			cr_expect_not(strings[i].way((struct rx_view){ text, 5 }), "%zu %zu", i, k);
			cr_expect(err.code == RX_EPARSE && strstr(rx_err_text(&err), "at byte 0"),
				  "%s", rx_err_text(&err));
			rx_err_reset(&err);
		}
	}
}
