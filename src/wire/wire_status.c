#include "wire_status.h"
