# With --json a failure is one object on standard output, and as many words as ever beside it
make_inputs
a=$(remex cas put --dry-run in.txt | cut -d' ' -f1)
try() { # try LIE COMMAND ARGUMENT...
	local lie=$1 command=$2
	lying "$lie"
	echo "== $command: $lie"
	shift 2
	# shellcheck disable=SC2086 # a command may be two words
	timeout 60 remex $command --json -r "$url" --retries 1 --rpc-timeout 1s "$@" >../out 2>../err
	echo "exit $?"
	jq -s -c 'length, map([.schema, .error.code, .error.grpc, (.error | keys), (.error.message | type), .exit_code])' ../out
	[ "$(grep -v '^  ' ../err)" = "remex: $command: $(jq -r .error.message ../out)" ] || cat ../err
}
for lie in caps-3.0 bad-protobuf unavailable unauthenticated@Execute execute-break-early operation-error escaping-paths \
	invalid-violations not-found-for-present disk-full wrong-digest done-without-response missing-violations-rpc \
	small-blobs=-1:1 hang@GetActionResult deadline-in-response; do
	try "$lie" exec -i in.txt -o out.txt tool
	ls -A | grep -vE '^(.git|in.txt|big)$'
	rm -f out.txt
done
try disk-full "cas put" in.txt
try small-blobs=-1:1 "cas put" in.txt
try unavailable@BatchReadBlobs "cas get" "$a" -o got
try unavailable@FindMissingBlobs "cas has" "$a"
try bad-protobuf "cas ls" "$a"
try bad-protobuf@GetActionResult "ac get" "$a"
try unavailable caps
ls -A
