# Two servers cannot share a place
remex serve --json --dir "$PWD/store" --listen "unix://$PWD/s" >ready 2>log &
pid=$!
trap 'kill $pid; wait $pid' EXIT
wait_for test -s ready
url=$(json .url <ready)

remex serve --listen "unix://$PWD/s" --dir "$PWD/other"
