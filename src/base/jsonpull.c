#include "jsonpull.h"
