# bash completes commands, options, choices
eval "$(remex completion bash)"
compopt() { echo "compopt $*"; }
try() {
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_remex
	echo "$*: ${COMPREPLY[*]}"
}
try remex ''
try remex e
try remex cas ''
try remex cas put --sym
try remex exec --strat
try remex exec --strategy ''
try remex exec --strategy = l
try remex --color always exec -- gc
try remex completion f
try remex help ver
try remex help cas p
try remex exec -i ''
