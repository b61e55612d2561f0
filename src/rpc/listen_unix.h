/* listen_unix: a unix socket's door: binds it, lets in peers of our own user only and hands their
 * connections over; private to this room.
 *
 * gRPC would bind the path itself, but it removes a live socket to do so and never looks at who
 * connects. */
#pragma once

#include "err.h"

struct listen_unix;
/* The path must not exist (service_claim removes stale ones). enter gets a connected non-blocking
 * descriptor, which it owns, on the door's own thread. */
struct listen_unix *listen_unix_open(const char *path, void (*enter)(void *ctx, int fd), void *ctx,
				     struct rx_err *err);
/* A hidden socket cannot be connected to any more; whoever has is still let in. Hiding it again or
 * showing what is not hidden is fine. */
void listen_unix_hide(struct listen_unix *u, bool hidden);
/* Stops, waits for enter to return, removes the socket if it is still ours. NULL is fine. */
void listen_unix_close(struct listen_unix *u);
