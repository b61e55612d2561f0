#include "cas.h"
