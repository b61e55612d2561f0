#include "rpc_body.h"
