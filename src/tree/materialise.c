#include "materialise.h"
