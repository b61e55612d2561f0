#include "wire_capabilities.h"
