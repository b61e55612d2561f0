# --insecure executes for everybody
remex serve --json --dir "$PWD/store" --listen 127.0.0.1:0 --insecure >ready 2>log &
pid=$!
trap 'kill $pid; wait $pid' EXIT
wait_for test -s ready
url=$(json .url <ready)

remex exec -r "$url" -- echo there
