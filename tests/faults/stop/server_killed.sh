# kill -9 of the server in the middle of things
make_inputs
d=$(remex cas put --dry-run big | cut -d' ' -f1)
dies() { # dies LIE COMMAND...: the server is killed while it hangs
	local pid
	echo "== $2 $3: $1"
	lying "$1"
	shift
	[ "$2" != get ] || remex cas put -q -r "$url" big >/dev/null
	listing >../before
	"$@" >../out 2>../err </dev/null &
	pid=$!
	until_hung
	{ kill -9 "$lying_pid" && wait "$lying_pid"; } 2>/dev/null
	lying_pid=''
	wait $pid
	echo "exit $?"
	# of two uploads either may be first
	aftermath | no_words | sed -E 's#(BatchUpdateBlobs|Write): UNA#UPLOAD: UNA#; s#blob .* is .*#blob ANY#'
}
in_exec() { remex exec -r "$url" --retries 1 -i big -o out.txt -- tool; }
in_cas() { remex cas "$@" -r "$url" --retries 1; }
for lie in hang@GetActionResult hang@Write hang@Execute execute-hang hang@BatchReadBlobs; do
	dies $lie in_exec
done
dies hang@Write in_cas put big
dies read-hang=-1:1000000 in_cas get "$d" -o got
