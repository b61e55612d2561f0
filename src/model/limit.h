/* limit: the largest things taken from outside. Every one has a test that passes it. */
#pragma once

#define LIMIT_DIRECTORY_BYTES (64u << 20)  /* one Directory message */
#define LIMIT_TREE_BYTES      (512u << 20) /* one Tree message */
#define LIMIT_COMMAND_BYTES   (64u << 20)
#define LIMIT_ACTION_BYTES    (4u << 20)
#define LIMIT_RESULT_BYTES    (64u << 20)  /* ActionResult, ExecuteResponse, Operation */
#define LIMIT_MESSAGE_BYTES   (256u << 20) /* anything else */
#define LIMIT_NESTING         64           /* protobuf messages within messages */
#define LIMIT_ELEMENTS        4000000u     /* messages and list elements in one message */
#define LIMIT_NAME_BYTES      4096         /* one path segment */
#define LIMIT_PATH_BYTES      65536
#define LIMIT_TREE_DEPTH      1024
#define LIMIT_TREE_NODES      20000000
#define LIMIT_STATUS_MESSAGE  16384 /* of a server's text shown to people */
#define LIMIT_INLINE_BYTES                                                                         \
	(1u << 20) /* stdout, stderr, outputs inlined into a result by our server */
