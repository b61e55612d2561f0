# -q leaves errors only
export REMEX_STATE_DIR=$PWD/own
mkdir own
remex -q caps >/dev/null && remex -q cas has nope
