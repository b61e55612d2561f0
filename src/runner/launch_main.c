/* launch_main: the launcher as a program of its own; runs inside the sandbox. */
#include "launch.h"

int main(void)
{
	return launch_run();
}
