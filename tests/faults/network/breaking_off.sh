# Connections that break off again and again: what came is kept, the rest is asked for
make_inputs
serving --listen 127.0.0.1:0 --insecure
server=$url
d=$(remex cas put -r "$server" big | cut -d' ' -f1)
peer cut 2000000 "${server##*:}"
fault remex cas get -r "$url" "$d" -o got
cmp big got && rm got
peer cut 2000000 "${server##*:}"
fault remex exec -r "$url" --out-dir out -i big -o copy -- cp big copy
cmp big out/copy && rm -r out
echo "== not even a beginning"
peer cut 10 "${server##*:}"
fault remex cas get -r "$url" --retries 1 "$d" -o got | no_words
