/* launch_image: the launcher program's bytes, part of this one. */
#include "launch_image.h"

__asm__(".pushsection .rodata\n"
	".balign 16\n"
	"launch_image_start:\n"
	".incbin \"" LAUNCH_IMAGE "\"\n"
	"launch_image_end:\n"
	".popsection\n");

extern const char launch_image_start[] __attribute__((visibility("hidden")));
extern const char launch_image_end[] __attribute__((visibility("hidden")));

struct rx_view launch_image(void)
{
	const char *p = launch_image_start;

	return (struct rx_view){ p, (size_t)((uintptr_t)launch_image_end - (uintptr_t)p) };
}
