/* err: why something failed, as one line a person can read, plus the codes a program needs.
 *
 * A function that can fail returns bool and takes `struct rx_err *err` last. On failure it has
 *called rx_fail (once) and every layer on the way up may add what only it knows with rx_wrap:
 *
 *	if (!digest_read_file(&d, path, err))
 *		return rx_wrap(err, "loading action from '%s'", path);
 *
 * Outputs are untouched on failure, err is untouched on success, err is never NULL. Messages read
 *outermost first, carry no "error:", no final newline. An expected outcome (cache miss, action
 *exited 1) is a result, not an error. */
#pragma once

#include "buf.h"

enum rx_code {
	RX_OK,
	RX_EUSAGE,  /* the command line or a configuration file is wrong */
	RX_EIO,     /* the operating system said no; sys_errno says what */
	RX_EPARSE,  /* input does not follow its format */
	RX_ELIMIT,  /* a named limit was passed */
	RX_EDIGEST, /* content does not have the digest it should have */
	RX_ERPC,    /* a call failed; grpc_status says how */
	RX_ECANCEL, /* the user or a sibling task stopped it */
	RX_EEXIST,  /* refused to overwrite what is there */
	RX_ENOENT   /* something named is not there */
};

struct rx_err {
	enum rx_code code;
	int grpc_status;   /* when code is RX_ERPC */
	int sys_errno;     /* when code is RX_EIO, else 0 */
	bool service;      /* the other side is at fault: what it sent, or what it cannot do */
	struct rx_buf msg; /* "what: where: why" */
	struct rx_buf
		hint; /* lines below the message: "blob ... is src/big.bin\ntry: remex doctor" */
};

/* All return false, so that `return rx_fail(err, ...)` reads well. rx_fail asserts that no error is
 * pending. */
bool rx_fail(struct rx_err *err, enum rx_code code, const char *fmt, ...) RX_PRINTF(3, 4);
/* RX_EIO (RX_ENOENT for ENOENT) with ": " strerror(errno) appended. */
bool rx_fail_errno(struct rx_err *err, const char *fmt, ...) RX_PRINTF(2, 3);
bool rx_fail_rpc(struct rx_err *err, int grpc_status, const char *fmt, ...) RX_PRINTF(3, 4);
/* Prepends "fmt: ". */
bool rx_wrap(struct rx_err *err, const char *fmt, ...) RX_PRINTF(2, 3);
/* The analyzer sees one file at a time, and would follow a failure that returns true. */
#ifdef __clang_analyzer__
#define rx_fail(...)       (rx_fail(__VA_ARGS__), false)
#define rx_fail_errno(...) (rx_fail_errno(__VA_ARGS__), false)
#define rx_fail_rpc(...)   (rx_fail_rpc(__VA_ARGS__), false)
#define rx_wrap(...)       (rx_wrap(__VA_ARGS__), false)
#endif
/* Adds a line under the message; lines with "try: " stay the last ones. */
void rx_hint(struct rx_err *err, const char *fmt, ...) RX_PRINTF(2, 3);
/* Moves the error of a task that ran elsewhere; `to` must hold none. */
void rx_err_move(struct rx_err *to, struct rx_err *from);
/* to becomes the same error; it must hold none. */
void rx_err_copy(struct rx_err *to, const struct rx_err *from);
void rx_err_reset(struct rx_err *err);
void rx_err_release(struct rx_err *err);
/* Never NULL. */
const char *rx_err_text(const struct rx_err *err);
/* "RESOURCE_EXHAUSTED" for 8, "CODE_99" for what gRPC does not name. Thread-safe. */
const char *rx_grpc_name(int grpc_status);
