# Huge, tiny and odd values of options
url=unix://$REMEX_STATE_DIR/run/socket
try() {
	timeout 20 remex "$@" >../out 2>../err </dev/null
	echo "$? $(plain <../err | head -n 1)"
}
for v in 0 0s 1ns 1us 999999999999h 99999999999999999999s 1e3s 1.5s 1.0000000001s .5s 5s5 "5 s" -0s +5s 0x5s 1h30m 1m1h 1d 1w s "" ٣s inf nan; do
	echo "== timeout '$v'"
	try exec --dry-run --timeout "$v" -- true
	try caps --rpc-timeout "$v"
done
echo "== years"
try exec --timeout 999999999999h -- true
try exec --timeout 80000000h -- true
try exec --rpc-timeout 999999999999h --keepalive 999999999999h -- true
for v in 0 1 65536 4294967295 4294967296 99999999999999999999 -1 +1 1.5 1k 0x10 "" " 1" ١; do
	echo "== number '$v'"
	try caps --jobs "$v"
	try caps --retries "$v"
	try exec --dry-run --priority "$v" -- true
done
for v in 0 1 0B 1KB 1KiB 1.5GiB 16EiB 9223372036854775807 9223372036854775808 99999999999999999999TiB -1 1Q KiB "" "1 GiB"; do
	echo "== size '$v'"
	# a bad listener: nothing starts
	try serve --listen "unix://$PWD/none/s" --dir "$PWD/store" --max-size "$v"
done
