# Nothing enters but what is named; the last of a name counts
export SEEN=here HIDDEN=no
remex exec -e SEEN -e UNSET_ONE -e X=1 -e X=2 -- /usr/bin/env | grep -v '^_=\|^PWD=\|^SHLVL=' | sort
