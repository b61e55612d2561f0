# and JSON says cached: false
remex exec --json --require-cached -- echo never | jq -c .cached; exit ${PIPESTATUS[0]}
