/* channel_core: what calls see of a channel; private to this room. */
#pragma once

#include <grpc/grpc.h>

#include "channel.h"

grpc_channel *channel_grpc(const struct channel *c);
