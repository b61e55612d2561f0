#include "listen.h"
