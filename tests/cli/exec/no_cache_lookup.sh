# --no-cache-lookup runs again, --do-not-cache stores nothing
run() { remex exec --json "$@" -- echo ncl | json .cached; }
run
run
run --no-cache-lookup
run --do-not-cache
run --do-not-cache
