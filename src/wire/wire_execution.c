#include "wire_execution.h"
