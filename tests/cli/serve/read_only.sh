# --read-only takes nothing
remex serve --json --dir "$PWD/store" --listen "unix://$PWD/s" --read-only >ready 2>log &
pid=$!
trap 'kill $pid; wait $pid' EXIT
wait_for test -s ready
url=$(json .url <ready)

echo x >f
remex cas put -r "$url" f
echo $?
remex caps -r "$url" --json | json '[.can_update_action_cache] | .[0] | not'
