#include "bytestream.h"
