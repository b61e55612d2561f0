# and JSON names it
remex exec --json -o nope -- true 2>/dev/null | json "[.exit_code, .error.code, (.error.message | test(\"nope\"))]"; exit ${PIPESTATUS[0]}
