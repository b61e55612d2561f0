#include "wire_action.h"
