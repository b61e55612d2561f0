# wire: vectors and hostile bytes. test_vectors sees protobuf-c itself, to have a second opinion.
remex_unit(vectors SOURCES unit/vector_pb.c LINKS remex_wire)
target_link_libraries(test_vectors PRIVATE remex_protobuf_c)
get_target_property(proto_include remex_proto INTERFACE_INCLUDE_DIRECTORIES)
target_include_directories(test_vectors SYSTEM PRIVATE ${proto_include})
add_dependencies(test_vectors remex_proto)
foreach(name wire wire_calls wire_limits)
	remex_unit(${name} LINKS remex_wire)
endforeach()
