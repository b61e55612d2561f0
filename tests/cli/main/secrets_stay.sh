# What a header holds is in no message, and not in the environment of the server that is started
export REMEX_STATE_DIR=$PWD/state REMEX_HEADER=x-key=SECRET
remex -v -v caps --json 2>log | json .schema
pid=$(cut -d' ' -f1 state/run/lock)
grep -c SECRET log state/run/log "/proc/$pid/environ" | sed 's/.*://'
kill "$pid"
REMEX_HEADER=SECRET remex caps
