/* launch_image: the launcher program (launch.h) as bytes of this program. */
#pragma once

#include "buf.h"

struct rx_view launch_image(void);
