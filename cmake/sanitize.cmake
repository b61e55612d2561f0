# REMEX_SANITIZE applies to everything, generated code too.
if(REMEX_SANITIZE)
	add_compile_options(-fsanitize=${REMEX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
	add_link_options(-fsanitize=${REMEX_SANITIZE})
	add_compile_definitions(REMEX_SANITIZED=1)
endif()
# The fuzzer steers by coverage of the rooms, not of its targets alone.
if(REMEX_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
