# The embedded server is announced when it is started, and only then
export REMEX_STATE_DIR=$PWD/own
mkdir own
remex caps >/dev/null && remex caps >/dev/null
