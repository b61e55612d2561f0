#include "ac.h"
