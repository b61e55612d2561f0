# Paths that leave the root, are absolute, odd or too long
url=unix://$REMEX_STATE_DIR/run/socket
mkdir root && cd root && echo in >in && echo out >../outside && ln -s ../outside link && mkdir dir && ln -s ../.. dir/up
long=$(head -c 5000 /dev/zero | tr '\0' n)
try() {
	timeout 20 remex exec "$@" -- true >../../out 2>../../err </dev/null
	echo "$*: $? $(plain <../../err | head -n 1)" | sed -E "s#n{300,}#LONG#g; s#${PWD%/*}#HERE#g"
}
for p in ../outside "$PWD/../outside" /etc/passwd . .. ./ dir/../in dir/../../outside link dir/up dir/up/outside nowhere "$long" $'new\nline' "" / ; do
	try -i "$p"
done
for p in ../x /x a/../../x . .. a/./b a//b "" / "$long" a/b/../c; do
	try --virtual "$p=text"
	try --input-map "in=$p"
	try --dry-run -o "$p"
	try --cwd "$p"
done
try --symlinks resolve -i link
try --symlinks resolve -i dir
try -i in --virtual in=other
try --virtual a=1 --virtual a/b=2
try -o a -o a
try -o a -o a/b
try -o a/ -o a
ls -A . ..
