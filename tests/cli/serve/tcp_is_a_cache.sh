# On TCP without certificates it does not execute
remex serve --json --dir "$PWD/store" --listen 127.0.0.1:0 >ready 2>log &
pid=$!
trap 'kill $pid; wait $pid' EXIT
wait_for test -s ready
url=$(json .url <ready)

json '[.execution, (.note | length > 10)]' <ready
remex exec -r "$url" -- true
echo $?
remex exec -r "$url" --strategy local -- echo here
