# Helpers of the cases in tests/cli; bash reads this before each (BASH_ENV).
unset BASH_ENV

# Standard input holds JSON lines and nothing else; prints FILTER of each: | json .digest
json() {
	jq -c -r "${1:-.}" || echo "not JSON, or no ${1:-.}"
}
# An address nobody listens on.
nowhere=grpc://127.0.0.1:1
sha() { # sha TEXT: its digest as remex writes it
	printf '%s/%s\n' "$(printf '%s' "$1" | sha256sum | cut -d' ' -f1)" "$(printf '%s' "$1" | wc -c)"
}
# Waits until "$@" holds, 10 s at most.
wait_for() {
	local i
	for i in $(seq 100); do
		"$@" && return
		sleep 0.1
	done
	echo "gave up waiting for: $*"
	return 1
}
