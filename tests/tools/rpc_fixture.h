/* rpc_fixture: a loop, a pool, a listener with methods of every shape and a channel to it, for
 * tests of the rpc room.
 *
 * Methods: Echo (unary), Fail ("CODE text" -> that status with details "DETAILS"), Header (name ->
 * value), Peer, Never (no answer), Count ("N SIZE" -> N messages of SIZE bytes, at most two
 * queued), Once (one message, then silence), Sum (stream -> total), Early (answers "early" after
 * the first message), Refuse (INVALID_ARGUMENT after the first), Slow (holds every message until
 * fixture_let_go). */
#pragma once

#include <stdatomic.h>

#include "call.h"
#include "listen.h"

struct fixture {
	struct loop *loop;
	struct pool *pool;
	struct listener *listener;
	struct channel *channel;
	char *dir;
	char *socket;
	atomic_int started, closed, messages;
	atomic_int cancelled;
	_Atomic(struct listen_call *) slow; /* the last call of Slow, referenced */
};

/* listen may be NULL: a unix socket in a fresh directory. The channel is plain. */
void fixture_open(struct fixture *f, const struct listen_options *listen);
struct channel *fixture_channel(struct fixture *f, const struct channel_options *o);
void fixture_close(struct fixture *f);
void fixture_let_go(struct fixture *f);
/* Waits until *counter >= n, at most five seconds. */
bool fixture_wait(atomic_int *counter, int n);

/* A body whose release counts. */
struct rpc_body fixture_body(size_t n, atomic_int *released);
