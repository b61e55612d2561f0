# SIGTERM ends it with 0
remex serve --listen "unix://$PWD/s" --dir "$PWD/store" --json >ready 2>/dev/null &
wait_for test -s ready
kill $!
wait $!
echo $?
ls s
