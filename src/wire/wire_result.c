#include "wire_result.h"
