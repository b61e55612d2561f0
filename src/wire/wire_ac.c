#include "wire_ac.h"
