/* banned: functions that are easy to use wrongly; included before every file of ours
 * (cmake/warnings.cmake). */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncat sprintf vsprintf strtok gmtime localtime ctime asctime    \
	atoi atol atoll tmpnam
