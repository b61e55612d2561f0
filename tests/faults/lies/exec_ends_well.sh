# What a server may do, or does only for a while: the action runs, its output comes, nobody is bothered
make_inputs
for lie in any-order empty-messages=-1:20 foreign-digests batch-limit-lie=-1:1000 batch-limit-invalid=-1:1000 no-batch \
	no-find no-capabilities caps-2.0 caps-deprecated caps-no-version zero-batch tiny-batch read-only-ac no-ac-update \
	early-return early-return--1 committed-size-wrong=1 no-query-write-status resume-refused \
	break-upload-after=2:1000000 execute-break-stream=2 execute-break-early=2 execute-end-without-done \
	wait-not-found stages-backwards missing-violations-rpc=2 missing-violations-response=2 unavailable-in-response=2 \
	unavailable=3 unavailable@Execute=2:50 unavailable@GetActionResult=2 unavailable@BatchReadBlobs=2 \
	entry-unavailable=2 missing-response=2 wrong-digest=2 hang@Write=1 slow=-1:20; do
	echo "== $lie"
	lying "$lie"
	fault remex exec -r "$url" --rpc-timeout 2s -i in.txt -i big -o out.txt -- tool
	[ ! -e out.txt ] || cat out.txt
	rm -f out.txt
done
for lie in wait-break-stream=3 wait-not-found=2 wait-unimplemented; do
	echo "== execute-break-stream=3, $lie"
	lying execute-break-stream=3 "$lie"
	fault remex exec -r "$url" -i in.txt -i big -o out.txt -- tool
	rm -f out.txt
done
