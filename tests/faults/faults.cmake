# One ctest entry a folder of cases; see run.sh.
foreach(folder lies network disk stop input)
	add_test(NAME faults/${folder} COMMAND ${CMAKE_SOURCE_DIR}/tests/faults/run.sh $<TARGET_FILE:remex>
		$<TARGET_FILE:lying_server> ${CMAKE_SOURCE_DIR}/tests/faults/${folder})
	set_tests_properties(faults/${folder} PROPERTIES FAIL_REGULAR_EXPRESSION "${SANITIZER_SAYS}" TIMEOUT 600 LABELS faults)
endforeach()
