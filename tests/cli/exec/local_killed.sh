# What a killed local run left behind goes with the next one, and what another one uses stays
mkdir tmp
export TMPDIR=$PWD/tmp
remex exec --strategy local --do-not-cache -- sleep 60 &
killed=$!
remex exec --strategy local --do-not-cache -- sleep 60.5 &
other=$!
sandboxes() { [ "$(ls tmp | wc -l)" = "$1" ]; }
wait_for sandboxes 2
kill -9 "$killed"
wait "$killed" 2>/dev/null
remex exec --strategy local --do-not-cache -- echo next
sandboxes 1 || ls tmp
kill "$other"
wait "$other"
ls tmp
