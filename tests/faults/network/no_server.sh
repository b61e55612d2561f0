# Nobody is there: at once, with what to do next
make_inputs
touch plain
for url in grpc://127.0.0.1:1 "grpc://[::1]:1" unix:///nowhere/s "unix://$PWD/plain" grpcs://127.0.0.1:1 grpc://no-such-host.invalid:1; do
	echo "== ${url/$PWD/HERE}"
	fault remex exec -r "$url" --retries 1 --rpc-timeout 5s -i in.txt -o out.txt -- true | no_words
	fault remex cas put -r "$url" --retries 1 --rpc-timeout 5s in.txt | no_words
done
