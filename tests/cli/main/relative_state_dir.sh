# A relative REMEX_STATE_DIR is the server's too, and made when it is not there
export REMEX_STATE_DIR=state
remex caps --json | json .schema
test -d state/cas && kill "$(cut -d' ' -f1 state/run/lock)"
