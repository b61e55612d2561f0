# Helpers of the cases in tests/faults; bash reads this before each (BASH_ENV).
lib=${BASH_ENV%/*}
. "$lib/../cli/lib.sh"
mkdir -p ../tmp && export TMPDIR=${PWD%/*}/tmp
url='' lying_in='' lying_pid=''

# lying LIE...: a server that tells these lies (lying_server -h) listens at $url until the next one or the end
lying() {
	local lies=() lie
	for lie in "$@"; do lies+=(--lie "$lie"); done
	[ -z "$lying_pid" ] || { kill "$lying_pid" 2>/dev/null; wait "$lying_pid"; }
	coproc LYING { exec "$LYING_SERVER" --listen 127.0.0.1:0 "${lies[@]}" 2>&1; }
	lying_pid=$LYING_PID
	exec {lying_in}<&"${LYING[0]}"
	read -r -t 30 url <&"$lying_in" || { echo "the lying server does not start"; exit 1; }
}
# Waits until the lying server hangs as it was told to.
until_hung() {
	local lie
	read -r -t 30 lie <&"$lying_in" || echo "the lying server does not hang"
}

# What must not change from run to run is kept, the rest gets a name.
plain() {
	local text
	text=$(cat; echo .)
	text=${text%.}
	[ -z "$url" ] || text=${text//"$url"/URL}
	printf %s "${text//"$PWD"/HERE}" | sed -E "s#in [0-9.]+(ms|s|us|m[0-9]*s?)\\)#in TIME)#; s#action [0-9a-f]{4}…[0-9a-f]{4}/[0-9]+#action ACTION#
		s#[0-9a-f]{64}/1[0-9]{2}\\b#ACTION#"
}
listing() {
	find . "$TMPDIR" -path ./.git -prune -o ! -path "$TMPDIR" ! -path . \( -type f -printf '%y %p %s\n' -o \
		-printf '%y %p %l\n' \) | LC_ALL=C sort
}
# fault COMMAND...: runs it, 60 s at most, and prints what came of it: "| " standard output, "! " standard error, the
# exit code, and what it changed on disk.
fault() {
	local status
	listing >../before
	timeout 60 "$@" >../out 2>../err </dev/null
	status=$?
	echo "exit $status"
	aftermath
}
aftermath() {
	plain <../out | sed 's/^/| /'
	plain <../err | sed 's/^/! /'
	listing >../after
	diff ../before ../after | grep '^[<>]' | plain
}
# stopped SIGNAL COMMAND...: as fault, but the command is sent SIGNAL once the lying server hangs
stopped() {
	local signal=$1 pid
	shift
	listing >../before
	"$@" >../out 2>../err </dev/null &
	pid=$!
	until_hung
	kill -s "$signal" $pid
	(sleep 30; kill -9 $pid 2>/dev/null) &
	wait $pid
	echo "exit $?"
	kill $!
	aftermath
}
# An input small enough for a batch and one that must be streamed, the same each time.
make_inputs() {
	echo input >in.txt
	seq 1000000 | head -c 5000000 >big
}
# Which of the small blobs of a batch is named is nobody's business.
any_blob() {
	sed -E 's#blob [0-9a-f]{4}…[0-9a-f]{4}/[0-9]{1,6} is .*#blob ANY#'
}
# peer HOW...: something listens at $url that is no server (bad_peer.py)
peer() {
	local port
	[ -z "$lying_pid" ] || { kill "$lying_pid" 2>/dev/null; wait "$lying_pid" 2>/dev/null; }
	coproc LYING { exec python3 "$lib/../tools/bad_peer.py" "$@" 2>&1; }
	lying_pid=$LYING_PID
	exec {lying_in}<&"${LYING[0]}"
	read -r -t 30 port <&"$lying_in" || { echo "the bad peer does not start"; exit 1; }
	url=grpc://127.0.0.1:$port
}
# gRPC's own words differ between its versions; what is ours is kept.
no_words() {
	sed -E 's#(UNAVAILABLE|DEADLINE_EXCEEDED|UNKNOWN|INTERNAL): .* \(after#\1: … (after#; s#try: .*#try: …#'
}
# serving OPTION...: `remex serve` with a store of its own, at $url until the end; its log is ../serve.log
serving_pid=''
serving() {
	rm -f ../ready
	remex serve --json --dir "${PWD%/*}/store" "$@" >../ready 2>../serve.log &
	serving_pid=$!
	wait_for test -s ../ready || cat ../serve.log
	url=$(json .url <../ready)
	trap 'kill "$serving_pid" 2>/dev/null; wait "$serving_pid" 2>/dev/null; no_report' EXIT
}
# Fails the case when a sanitizer spoke in the server.
no_report() {
	! grep -E 'ERROR: [A-Za-z]*Sanitizer|runtime error:' ../serve.log || exit 99
}
# small_disk MOUNT_OPTION...: a file system of 1 MiB at ./disk, seen by this case alone; where that cannot be had, the
# case is skipped. Call it first: the script starts again in a mount name space of its own.
small_disk() {
	local how=(unshare --mount)
	if [ -z "${SMALL_DISK:-}" ]; then
		[ "$(id -u)" = 0 ] || how+=(--map-root-user)
		"${how[@]}" true 2>../unshare || { cat ../unshare >&2; exit 77; }
		SMALL_DISK=yes BASH_ENV=$lib/lib.sh exec "${how[@]}" bash "$0"
	fi
	mkdir -p disk
	mount -t tmpfs -o "size=1m,mode=755$(printf ,%s "$@")" small disk || exit 77
}
