#include "wire_tree.h"
