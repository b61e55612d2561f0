# One ctest entry a folder of cases; see run.sh.
foreach(folder main config exec cas ac caps serve)
	add_test(NAME cli/${folder} COMMAND ${CMAKE_SOURCE_DIR}/tests/cli/run.sh $<TARGET_FILE:remex>
		${CMAKE_SOURCE_DIR}/tests/cli/${folder})
	set_tests_properties(cli/${folder} PROPERTIES FAIL_REGULAR_EXPRESSION "${SANITIZER_SAYS}" TIMEOUT 600 LABELS cli)
endforeach()
add_test(NAME cli/check_man COMMAND ${CMAKE_SOURCE_DIR}/tests/cli/check_man $<TARGET_FILE:remex>
	${CMAKE_SOURCE_DIR}/man)
set_tests_properties(cli/check_man PROPERTIES LABELS cli TIMEOUT 120)
