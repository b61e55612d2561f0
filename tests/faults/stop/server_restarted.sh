# A server that is killed in the middle of an action and comes back: the action runs again, nobody needs to know
serve() { serving --listen "unix://${PWD%/*}/s" --sandbox auto; }
serve
listing >../before
remex exec -r "$url" -o out -- sh -c 'sleep 2; echo done | tee out' >../out 2>../err &
pid=$!
sleep 1
{ kill -9 $serving_pid && wait $serving_pid; } 2>/dev/null
serve
wait $pid
echo "exit $?"
aftermath
cat out
