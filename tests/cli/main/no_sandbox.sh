# Who starts an embedded server that has no sandbox is told so, once
export REMEX_STATE_DIR=$PWD/state
remex=$(command -v remex)
PATH=/nowhere "$remex" exec -- /bin/echo one
PATH=/nowhere "$remex" exec -- /bin/echo two
