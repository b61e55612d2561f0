/* lying: a REAPI server that is honest, except about what it is told to lie about: the quirks and
 * faults of real servers (REAPI rules, and what differs between servers) on request. In memory, for
 * tests.
 *
 *	struct lying *s = lying_new(loop, pool, "unix:///tmp/x", &err);
 *	lying_tell(s, "break-upload-after", 1, 100000);    // once, after 100,000 bytes
 */
#pragma once

#include "listen.h"
#include "wire_cas.h"

/* Each lie: its name and what it does. N is the lie's number, see lying_tell. */
#define LYING_LIES(X)                                                                              \
	X(WRONG_DIGEST, "wrong-digest", "flips a byte of what is read")                            \
	X(TRUNCATED_STREAM, "truncated-stream", "Read ends OK after N bytes")                      \
	X(ENDLESS_MESSAGES, "endless-messages", "Read never stops sending")                        \
	X(EMPTY_MESSAGES, "empty-messages", "Read sends N empty messages first")                   \
	X(ANY_ORDER, "any-order", "answers of batches and FindMissing come backwards")             \
	X(MISSING_RESPONSE, "missing-response", "a batch answer lacks its first entry")            \
	X(FOREIGN_DIGESTS, "foreign-digests", "FindMissing names blobs nobody asked about")        \
	X(UNASKED_ZSTD, "unasked-zstd", "BatchRead says its entries are zstd")                     \
	X(BATCH_LIMIT_LIE, "batch-limit-lie",                                                      \
	  "refuses batches above N bytes with RESOURCE_EXHAUSTED, whatever it states")             \
	X(BATCH_LIMIT_INVALID, "batch-limit-invalid", "the same with INVALID_ARGUMENT")            \
	X(NO_BATCH, "no-batch", "batch calls are UNIMPLEMENTED")                                   \
	X(NO_FIND, "no-find", "FindMissingBlobs is UNIMPLEMENTED")                                 \
	X(NO_CAPABILITIES, "no-capabilities", "GetCapabilities is UNIMPLEMENTED")                  \
	X(CAPS_2_0, "caps-2.0", "speaks 2.0 only")                                                 \
	X(CAPS_3_0, "caps-3.0", "speaks 3.0 only")                                                 \
	X(CAPS_DEPRECATED, "caps-deprecated", "low is 2.20, deprecated 2.0")                       \
	X(CAPS_NO_VERSION, "caps-no-version", "states no API version")                             \
	X(CAPS_SHA1, "caps-sha1", "offers sha1 and sha512 only")                                   \
	X(LINKS_REFUSED, "links-refused", "absolute symlinks are disallowed")                      \
	X(LINKS_UNKNOWN, "links-unknown", "nothing is said about absolute symlinks")               \
	X(OTHER_RESULT, "other-result", "UpdateActionResult answers another result")               \
	X(NO_EXECUTION, "no-execution", "exec_enabled is false")                                   \
	X(ZERO_BATCH, "zero-batch", "states no batch limit")                                       \
	X(TINY_BATCH, "tiny-batch", "states and keeps a batch limit of 64 KiB")                    \
	X(SMALL_BLOBS, "small-blobs", "max_cas_blob_size_bytes is N")                              \
	X(READ_ONLY_AC, "read-only-ac", "UpdateActionResult is PERMISSION_DENIED")                 \
	X(NO_AC_UPDATE, "no-ac-update", "states that results are not taken")                       \
	X(EARLY_RETURN, "early-return", "Write answers the full size at once")                     \
	X(EARLY_RETURN_MINUS_1, "early-return--1", "Write answers -1 at once")                     \
	X(COMMITTED_SIZE_WRONG, "committed-size-wrong", "Write takes all, answers half the size")  \
	X(NO_QUERY, "no-query-write-status", "QueryWriteStatus is UNIMPLEMENTED")                  \
	X(RESUME_REFUSED, "resume-refused", "Write takes no first offset but 0")                   \
	X(READ_OFFSET_REFUSED, "read-offset-refused", "Read takes no offset but 0")                \
	X(BREAK_UPLOAD, "break-upload-after", "Write ends UNAVAILABLE after N bytes")              \
	X(BREAK_READ, "break-read-after", "Read ends UNAVAILABLE after N bytes")                   \
	X(EXECUTE_BREAK, "execute-break-stream", "Execute ends UNAVAILABLE after an operation")    \
	X(EXECUTE_BREAK_EARLY, "execute-break-early", "Execute ends UNAVAILABLE before it")        \
	X(EXECUTE_END, "execute-end-without-done", "Execute ends OK without an answer")            \
	X(WAIT_BREAK, "wait-break-stream", "WaitExecution ends UNAVAILABLE after an operation")    \
	X(WAIT_NOT_FOUND, "wait-not-found", "WaitExecution knows no operation")                    \
	X(WAIT_UNIMPLEMENTED, "wait-unimplemented", "WaitExecution is UNIMPLEMENTED")              \
	X(MISSING_RPC, "missing-violations-rpc", "Execute fails: the action's blob is missing")    \
	X(MISSING_LATE, "missing-violations-late", "the same after an operation")                  \
	X(MISSING_RESPONSE_STATUS, "missing-violations-response", "the same in ExecuteResponse")   \
	X(INVALID_RPC, "invalid-violations", "Execute fails with violations of type INVALID")      \
	X(OPERATION_ERROR, "operation-error", "Operation.error is set")                            \
	X(DONE_WITHOUT_RESPONSE, "done-without-response", "done, with neither response nor error") \
	X(DEADLINE_IN_RESPONSE, "deadline-in-response", "the action timed out")                    \
	X(UNAVAILABLE_IN_RESPONSE, "unavailable-in-response", "the worker was lost")               \
	X(STAGES_BACKWARDS, "stages-backwards", "EXECUTING, then QUEUED again")                    \
	X(ESCAPING_PATHS, "escaping-paths", "an output is ../x (N 0), /x (1), through a link (2)") \
	X(BAD_PROTOBUF, "bad-protobuf", "answers are not protobuf")                                \
	X(UNAVAILABLE, "unavailable", "calls are UNAVAILABLE, with RetryInfo of N ms when N > 0")  \
	X(UNAUTHENTICATED, "unauthenticated", "calls are UNAUTHENTICATED")                         \
	X(PERMISSION_DENIED, "permission-denied", "calls are PERMISSION_DENIED")                   \
	X(DISK_FULL, "disk-full", "uploads are RESOURCE_EXHAUSTED: disk full")                     \
	X(ENTRY_INVALID, "entry-invalid", "batch entries are INVALID_ARGUMENT")                    \
	X(ENTRY_UNAVAILABLE, "entry-unavailable", "batch entries are UNAVAILABLE")                 \
	X(EXECUTE_SLOW, "execute-slow", "Execute says nothing for N ms after its operation")       \
	X(EXECUTE_HANG, "execute-hang", "Execute tells of an operation, and no more")              \
	X(READ_HANG, "read-hang", "Read sends N bytes, and no more")                               \
	X(STEERING, "steering", "calls are refused with a message that steers terminals")          \
	X(HUGE, "huge", "calls are answered with N bytes of zeroes")                               \
	X(HANG, "hang", "calls are never answered")                                                \
	X(SLOW, "slow", "every call takes N ms more")                                              \
	X(NOT_FOUND, "not-found-for-present", "reads of what is there say NOT_FOUND")

enum lie {
#define X(id, name, text) LIE_##id,
	LYING_LIES(X)
#undef X
		LIE_COUNT
};

struct lying;
/* where: "unix:///path" or "HOST:PORT". */
struct lying *lying_new(struct loop *l, struct pool *pool, const char *where, struct rx_err *err);
void lying_free(struct lying *s);
const char *lying_url(const struct lying *s);
/* Lies `times` times (-1: always) from now on; false when there is no lie of that name. A lie about
 * "calls" may end in @METHOD ("hang@Write"): it is told about this method alone. */
bool lying_tell(struct lying *s, const char *lie, int times, int64_t n);
/* told runs on the loop thread each time the server begins to hang. */
void lying_on_hang(struct lying *s, void (*told)(const char *lie));
const char *lying_name(size_t i, const char **text_out); /* NULL past the last */

void lying_put(struct lying *s, const struct digest *d, struct rx_view bytes);
bool lying_has(struct lying *s, const struct digest *d);
void lying_forget(struct lying *s, const struct digest *d);
size_t lying_blobs(struct lying *s);
/* Calls of a method ("Write") so far; messages larger than `bytes` of it. */
unsigned lying_calls(struct lying *s, const char *method);
size_t lying_largest(struct lying *s, const char *method);
/* The instance of the last GetCapabilities; "" before. */
const char *lying_instance(struct lying *s);
/* A header of the last call; the caller frees, NULL when it had none. */
char *lying_header(struct lying *s, const char *name);
/* Message bytes that Write took in all, over all its calls. */
int64_t lying_written(struct lying *s);
/* Bytes that Read sent in all, over all its calls. */
int64_t lying_sent(struct lying *s);
