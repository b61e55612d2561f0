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
