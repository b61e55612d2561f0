/* rpc_status: how a call ended. Details are the raw google.rpc.Status of grpc-status-details-bin;
 * wire reads them. */
#pragma once

#include "arena.h"

struct rpc_status {
	int code;               /* gRPC's numbers, 0 = OK */
	const char *message;    /* never NULL; printable */
	struct rx_view details; /* serialized google.rpc.Status, empty when there is none */
};

enum rpc_code {
	RPC_OK,
	RPC_CANCELLED,
	RPC_UNKNOWN,
	RPC_INVALID_ARGUMENT,
	RPC_DEADLINE_EXCEEDED,
	RPC_NOT_FOUND,
	RPC_ALREADY_EXISTS,
	RPC_PERMISSION_DENIED,
	RPC_RESOURCE_EXHAUSTED,
	RPC_FAILED_PRECONDITION,
	RPC_ABORTED,
	RPC_OUT_OF_RANGE,
	RPC_UNIMPLEMENTED,
	RPC_INTERNAL,
	RPC_UNAVAILABLE,
	RPC_DATA_LOSS,
	RPC_UNAUTHENTICATED
};

/* Longest text of a peer that is shown to people. */
#define RPC_STATUS_MESSAGE 16384
/* A status text made printable, bounded, and, for gRPC's own ways to say that there is no
 * connection, cut down to the cause: "cannot connect: Connection refused". */
void rpc_status_explain(struct rx_buf *out, int code, struct rx_view text);
