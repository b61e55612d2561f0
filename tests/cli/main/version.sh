# The version, as text and as JSON
[ "$(remex version | head -n 1)" = "remex $(remex version --json | json .version)" ] && echo same
remex version --json | json "[.schema, (.grpc_linkage | test(\"^(static|shared)$\")), (.compiler | length > 3)]"
