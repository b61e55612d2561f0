#include "wire_bytestream.h"
