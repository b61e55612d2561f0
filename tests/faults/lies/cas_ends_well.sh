# What a server may do with blobs, or does only for a while
make_inputs
d=$(remex cas put --dry-run big | cut -d' ' -f1)
for lie in empty-messages=-1:1000 truncated-stream=2:1000000 break-read-after=3:1500000 unavailable@Read=2 wrong-digest=1 \
	hang@Read=1 read-hang=1:1000000; do
	echo "== get: $lie"
	lying "$lie"
	remex cas put -q -r "$url" big in.txt >/dev/null
	fault remex cas get -r "$url" --rpc-timeout 1s "$d" -o got
	cmp big got
	rm -f got
done
echo "== get: no offset but 0"
lying break-read-after=2:1500000 read-offset-refused
remex cas put -q -r "$url" big in.txt >/dev/null
fault remex cas get -r "$url" "$d" -o got
cmp big got
