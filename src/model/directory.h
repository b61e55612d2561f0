/* directory: one level of an input or output tree, as REAPI's Directory has it, and how others
 * encode it. */
#pragma once

#include "arena.h"
#include "digest.h"

struct node_property {
	const char *name, *value;
};
struct node_properties {
	bool present; /* set, perhaps empty */
	struct node_property *properties;
	size_t n;
	bool has_mtime, has_mode;
	int64_t mtime_s;
	int32_t mtime_ns;
	uint32_t mode;
};

struct file_node {
	const char *name;
	struct digest digest;
	bool is_executable;
	struct node_properties props;
};
struct directory_node {
	const char *name;
	struct digest digest;
};
struct symlink_node {
	const char *name, *target;
	struct node_properties props;
};
struct directory {
	struct file_node *files;
	size_t n_files;
	struct directory_node *dirs;
	size_t n_dirs;
	struct symlink_node *links;
	size_t n_links;
	struct node_properties props;
	unsigned marks; /* enum directory_mark bits found while reading */
};
/* Legal bytes that are not canonical. Execution refuses them, other consumers report them (REAPI
 * rules 1, 8, 17). */
enum directory_mark {
	MARK_UNSORTED = 1u << 0,  /* a list is out of order */
	MARK_DUPLICATE = 1u << 1, /* a name, output path or field occurs twice */
	MARK_ENCODING = 1u << 2,  /* field order, explicit default, long varint */
	MARK_UNKNOWN_FIELD = 1u << 3,
	MARK_OUTPUT_PATH = 1u << 4,      /* absolute, trailing slash, not clean */
	MARK_SYMLINK_ABSOLUTE = 1u << 5, /* not wrong by itself: by the server's strategy */
	MARK_WORKING_DIRECTORY = 1u << 6 /* absolute, climbing, not clean */
};

void directory_sort(struct directory *d); /* canonical order (REAPI rule 8) */

/* tree (floor 2) needs to encode and decode directories, wire (floor 2) can: flow and server hand
 * this over. */
struct directory_codec {
	void (*pack)(const struct directory *d, struct rx_buf *out); /* canonical bytes, appended */
	RX_MUST_USE bool (*unpack)(struct arena *a, struct rx_view bytes, enum digest_function f,
				   struct directory *out, struct rx_err *err);
};
