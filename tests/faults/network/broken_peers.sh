# Something listens that is no server: one error in time
make_inputs
for how in close reset silence garbage http; do
	echo "== $how"
	peer "$how"
	fault remex exec -r "$url" --retries 1 --rpc-timeout 2s -i in.txt -o out.txt -- true | no_words
	fault remex caps -r "$url" --retries 1 --rpc-timeout 2s | no_words
done
