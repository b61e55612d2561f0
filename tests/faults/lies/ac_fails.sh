# What a server can get wrong with results and capabilities
make_inputs
a=$(remex cas put --dry-run in.txt | cut -d' ' -f1)
printf '{"exit_code": 0}\n' >result.json
for lie in caps-3.0 unauthenticated@GetActionResult bad-protobuf@GetActionResult unavailable@GetActionResult \
	hang@GetActionResult huge@GetActionResult=-1:90000000 steering@GetActionResult; do
	echo "== get: $lie"
	lying "$lie"
	fault remex ac get -r "$url" --retries 1 --rpc-timeout 1s "$a"
done
for lie in unauthenticated@UpdateActionResult unavailable@UpdateActionResult hang@UpdateActionResult read-only-ac no-ac-update; do
	echo "== put: $lie"
	lying "$lie"
	fault remex ac put -r "$url" --retries 1 --rpc-timeout 1s "$a" --result result.json
done
for lie in caps-3.0 bad-protobuf unavailable unauthenticated hang steering no-capabilities huge=-1:90000000; do
	echo "== caps: $lie"
	lying "$lie"
	fault remex caps -r "$url" --retries 1 --rpc-timeout 1s
done
