# Certificates that are wrong, missing, or not asked for
make_inputs
pki=../pki
mkdir $pki
(
	cd $pki || exit
	new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
	sign() { openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial "$@"; }
	$new -x509 -days 2 -keyout ca.key -out ca.pem -subj /CN=test-ca
	$new -x509 -days 2 -keyout other.key -out other.pem -subj /CN=other-ca
	for name in server elsewhere client; do $new -keyout $name.key -out $name.csr -subj /CN=$name; done
	echo subjectAltName=IP:127.0.0.1 >here.san
	echo subjectAltName=DNS:cache.test >elsewhere.san
	sign -days 2 -in server.csr -extfile here.san -out server.pem
	sign -days 2 -in elsewhere.csr -extfile elsewhere.san -out elsewhere.pem
	sign -days 2 -in client.csr -out client.pem
) >../openssl.log 2>&1 || cat ../openssl.log
echo nothing >$pki/nothing.pem
use() { # use SERVER_OPTION...: another server, as grpcs
	[ -z "$serving_pid" ] || { kill "$serving_pid"; wait "$serving_pid"; }
	serving --listen 127.0.0.1:0 "$@"
	address=${url##*://} plain_url=grpc://${url##*://} url=grpcs://${url##*://}
}
try() {
	echo "== $*"
	fault remex caps -r "$url" --retries 0 --rpc-timeout 5s "$@" | tls_words
}
tls_words() {
	sed -E "s#${plain_url}#PLAIN#g; s#$address#ADDRESS#g; /^\| /d; s#(UNAVAILABLE|DEADLINE_EXCEEDED): [^:]*$address.*#\1: …#"
}
use --listen-tls-cert $pki/server.pem --listen-tls-key $pki/server.key
try --tls-ca $pki/ca.pem
try
try --tls-ca $pki/other.pem
try --tls-ca $pki/nothing.pem
try --tls-ca $pki/absent.pem
try --tls-ca $pki/ca.pem --tls-cert $pki/client.pem
try --tls-ca $pki/ca.pem --tls-cert $pki/nothing.pem --tls-key $pki/client.key
try --tls-ca $pki/ca.pem --tls-cert $pki/client.pem --tls-key $pki/absent.key
try --tls-ca $pki/ca.pem --tls-cert $pki/client.pem --tls-key $pki/server.key
url=$plain_url
try --tls-ca $pki/ca.pem
try

echo "== the name is another"
use --listen-tls-cert $pki/elsewhere.pem --listen-tls-key $pki/elsewhere.key
try --tls-ca $pki/ca.pem
try --tls-ca $pki/ca.pem --tls-server-name cache.test

echo "== the server wants to know us"
use --listen-tls-cert $pki/server.pem --listen-tls-key $pki/server.key --listen-tls-client-ca $pki/ca.pem
try --tls-ca $pki/ca.pem
try --tls-ca $pki/ca.pem --tls-cert $pki/client.pem --tls-key $pki/client.key
try --tls-ca $pki/ca.pem --tls-cert $pki/other.pem --tls-key $pki/other.key

echo "== the server is not TLS"
use
try --tls-ca $pki/ca.pem
