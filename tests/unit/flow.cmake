remex_unit(settings LINKS remex_flow)
remex_unit(blobset LINKS remex_flow)
# The program's own parser of options, without the program.
remex_unit(option LINKS remex_base SOURCES ${CMAKE_SOURCE_DIR}/cmd/remex/option.c
	${CMAKE_SOURCE_DIR}/cmd/remex/optionhelp.c)
target_include_directories(test_option PRIVATE ${CMAKE_SOURCE_DIR}/cmd/remex)
remex_unit(resultjson LINKS remex_model SOURCES ${CMAKE_SOURCE_DIR}/cmd/remex/resultjson.c)
target_include_directories(test_resultjson PRIVATE ${CMAKE_SOURCE_DIR}/cmd/remex)
