# Bad values
try() { remex serve "$@" 2>&1 | head -n 1; }
try --listen nope
try --listen unix://relative
try --listen-tls-cert x
try --listen 127.0.0.1:0 --listen-tls-client-ca x
try --insecure --listen-tls-cert x --listen-tls-key y
try --max-size x
try --max-actions x
try --sandbox chroot
try extra
REMEX_SANDBOX=chroot try
