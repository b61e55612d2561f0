# What a server can get wrong while an action runs: one error, 125, nothing left behind
make_inputs
for lie in wrong-digest unasked-zstd missing-response caps-3.0 caps-sha1 no-execution small-blobs=-1:1000 \
	committed-size-wrong break-upload-after=-1:100000 execute-break-early missing-violations-rpc \
	missing-violations-response invalid-violations operation-error done-without-response deadline-in-response \
	unavailable-in-response escaping-paths escaping-paths=-1:1 escaping-paths=-1:2 bad-protobuf \
	bad-protobuf@GetActionResult bad-protobuf@FindMissingBlobs bad-protobuf@BatchUpdateBlobs bad-protobuf@Write \
	bad-protobuf@Execute bad-protobuf@BatchReadBlobs unavailable unavailable@Execute=-1:50 unavailable=-1:3600000 \
	unauthenticated unauthenticated@Execute disk-full entry-invalid entry-unavailable not-found-for-present steering \
	huge@GetActionResult=-1:90000000 hang hang@GetActionResult hang@FindMissingBlobs hang@BatchReadBlobs; do
	echo "== $lie"
	lying "$lie"
	inputs=(-i in.txt -i big)
	[ "$lie" != disk-full ] || inputs=(-i in.txt) # else either of two uploads may be first
	outputs=(-o out.txt)
	[ "$lie" != escaping-paths=-1:2 ] || outputs=(-o link/x -o link)
	fault remex exec -r "$url" --retries 1 --rpc-timeout 1s "${inputs[@]}" "${outputs[@]}" -- tool | any_blob
	rm -f out.txt
done
for more in "wait-break-stream" "wait-not-found" "wait-unimplemented"; do
	echo "== execute-break-stream, $more"
	lying execute-break-stream "$more"
	fault remex exec -r "$url" --retries 1 -o out.txt -- tool
done
