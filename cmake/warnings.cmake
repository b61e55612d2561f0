# The warnings of every C file of ours.
add_library(remex_warnings INTERFACE)
target_compile_options(remex_warnings INTERFACE
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wimplicit-fallthrough
	-Wundef -Wconversion -Wno-sign-conversion
	-include ${CMAKE_SOURCE_DIR}/src/base/banned.h)
if(REMEX_WERROR)
	target_compile_options(remex_warnings INTERFACE -Werror)
endif()
