# A server in a place of its own
remex serve --json --dir "$PWD/store" --listen "unix://$PWD/s" >ready 2>log &
pid=$!
trap 'kill $pid; wait $pid' EXIT
wait_for test -s ready
url=$(json .url <ready)

json '[.schema, .execution]' <ready
remex -r "$url" exec -- true 2>/dev/null || remex exec -r "$url" -- echo served
