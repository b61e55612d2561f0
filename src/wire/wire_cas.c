#include "wire_cas.h"
