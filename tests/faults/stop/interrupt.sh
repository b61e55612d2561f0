# SIGINT and SIGTERM while a call hangs: at once, 130 and 143, nothing half-written
make_inputs
d=$(remex cas put --dry-run big | cut -d' ' -f1)
for lie in hang@GetCapabilities hang@GetActionResult hang@FindMissingBlobs hang@BatchUpdateBlobs hang@Write hang@Execute \
	execute-hang hang@BatchReadBlobs; do
	for signal in INT TERM; do
		echo "== exec: $signal, $lie"
		lying "$lie"
		stopped $signal remex exec -r "$url" -i in.txt -i big -o out.txt -- tool
	done
done
echo "== exec: waiting"
lying execute-break-stream hang@WaitExecution
stopped INT remex exec -r "$url" -i in.txt -o out.txt -- tool
for lie in hang@FindMissingBlobs hang@Write; do
	echo "== cas put: $lie"
	lying "$lie"
	stopped INT remex cas put -r "$url" big
done
for lie in hang@Read read-hang=-1:1000000; do
	for option in "" --force; do
		echo "== cas get: $lie $option"
		lying "$lie"
		remex cas put -q -r "$url" big >/dev/null
		[ -z "$option" ] || echo mine >got
		# shellcheck disable=SC2086 # absent or one word
		stopped INT remex cas get -r "$url" $option "$d" -o got
		[ ! -e got ] || cat got
	done
	rm -f got
done
echo "== between tries"
lying unavailable=-1:20000
listing >../before
remex caps -r "$url" >../out 2>../err &
sleep 1
kill -INT $!
wait $!
echo "exit $?"
aftermath
