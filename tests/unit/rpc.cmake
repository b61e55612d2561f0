# rpc: one fixture (a listener with methods of every shape) serves all of them.
remex_unit(loop LINKS remex_rpc)
remex_unit(call SOURCES tools/rpc_fixture.c LINKS remex_rpc)
target_include_directories(test_call PRIVATE tools)
