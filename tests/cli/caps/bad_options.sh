# Bad values of connection options
try() { remex caps "$@" 2>&1 | head -n 1; }
try --jobs x
try --retries -1
try --rpc-timeout 5
try --keepalive x
try --header nope
try --tool nope
try --tls-cert x
try --token-file
try --digest-function md4
try --cas http://x
try --remot x
