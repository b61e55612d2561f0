/* wire_reader: steps through the fields of a received message without copying. All reading of
 * bytes from outside starts here: the descriptor-driven scan (wire_scan) and what is read by hand.
 *
 *	struct wire_reader r = wire_reader(bytes, "Digest", &marks, err);
 *	while ((step = wire_next(&r)) == WIRE_FIELD)
 *		switch (r.key) {
 *		case WIRE_KEY(1, WIRE_BYTES):
 *			if (!wire_text(&r, "hash", &hash))
 *				return false;
 *			break;
 *		default:
 *			wire_unknown(&r);
 *		}
 *	return step == WIRE_END;
 *
 * A known field of the wrong wire type falls into default, so it counts as unknown (REAPI rule
 * 20). Marks are collected on the way. */
#pragma once

#include "err.h"
#include "wire_varint.h"

enum wire_step { WIRE_BAD, WIRE_END, WIRE_FIELD };

struct wire_reader {
	const char *p, *end;
	const char *base;    /* of the outermost message, for offsets in errors */
	const char *message; /* its name in errors: "FileNode" */
	unsigned depth;
	unsigned *marks;
	struct rx_err *err;
	/* where wire_next stepped to */
	uint32_t number, before; /* of this field and of the one before it */
	uint32_t key;
	const char *at, *body; /* the key, and what follows it */
	uint64_t value;        /* WIRE_VARINT */
	struct rx_view bytes;  /* WIRE_BYTES */
};

struct wire_reader wire_reader(struct rx_view bytes, const char *message, unsigned *marks,
			       struct rx_err *err);
/* Groups, which no message of ours has, are skipped and marked. On WIRE_BAD err is set. */
enum wire_step wire_next(struct wire_reader *r);
/* A reader of the message in this field. Fails past LIMIT_NESTING. */
RX_MUST_USE bool wire_enter(struct wire_reader *r, const char *message, struct wire_reader *inner);
/* Fails with RX_EPARSE "Message.field: why at byte N". */
bool wire_bad(struct wire_reader *r, const char *field, const char *why);

/* This field is unknown. */
void wire_unknown(struct wire_reader *r);
/* This field is singular: marks the second one of two. */
void wire_once(struct wire_reader *r);
/* Singular scalars: marks repetition, explicit defaults and what does not fit the type. */
int64_t wire_int64(struct wire_reader *r);
int32_t wire_int32(struct wire_reader *r); /* and enums */
uint32_t wire_uint32(struct wire_reader *r);
bool wire_bool(struct wire_reader *r);
struct rx_view wire_bytes(struct wire_reader *r);
/* A singular string: UTF-8 without NUL. */
RX_MUST_USE bool wire_text(struct wire_reader *r, const char *field, struct rx_view *out);
/* An element of a repeated string: may be empty and repeat. */
RX_MUST_USE bool wire_element(struct wire_reader *r, const char *field, struct rx_view *out);
