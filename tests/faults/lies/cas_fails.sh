# What a server can get wrong with blobs: one error, 4 (1 for what it does not have), nothing half-written
make_inputs
d=$(remex cas put --dry-run big | cut -d' ' -f1)
e=$(remex cas put --dry-run in.txt | cut -d' ' -f1)
for lie in caps-3.0 small-blobs=-1:1000 committed-size-wrong break-upload-after=-1:100000 disk-full entry-invalid \
	entry-unavailable missing-response unauthenticated@Write bad-protobuf bad-protobuf@Write \
	bad-protobuf@BatchUpdateBlobs bad-protobuf@FindMissingBlobs huge@FindMissingBlobs=-1:90000000 hang@Write=-1 steering; do
	echo "== put: $lie"
	lying "$lie"
	fault remex cas put -r "$url" --retries 1 --rpc-timeout 1s big in.txt
done
for lie in wrong-digest truncated-stream=-1:100000 endless-messages empty-messages=-1:200000 break-read-after=-1:1000 \
	not-found-for-present bad-protobuf@Read unavailable@Read read-hang=-1:1000000 hang@Read=-1; do
	echo "== get: $lie"
	lying "$lie"
	rm -f got
	remex cas put -q -r "$url" big in.txt >/dev/null
	fault remex cas get -r "$url" --retries 1 --rpc-timeout 1s "$d" -o got
	rm -f got
	fault remex cas get -r "$url" --retries 1 --rpc-timeout 1s "$e" -o got
done
