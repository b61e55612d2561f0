#include "hash.h"
