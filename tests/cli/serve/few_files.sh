# A shell's small limit of open files is not the server's: many clients and deep input trees
mkdir -p "$(printf 'd/%.0s' {1..150})"
(ulimit -Sn 64 && exec remex serve --json --dir "$PWD/store" --listen "unix://$PWD/s" --max-actions 8 >ready 2>log) &
pid=$!
trap 'kill $pid; wait $pid' EXIT
wait_for test -s ready
for i in $(seq 24); do
	remex exec -r "unix://$PWD/s" --retries 0 -i d -e N="$i" -- sh -c 'sleep 0.2; echo ran' &
	clients="$clients $!"
done
wait $clients
