# Bad values name their options
try() { remex exec "$@" -- true 2>&1 | head -n 1; }
try --timeout 5
try --timeout=-1s
try --priority x
try --cwd /abs
try --cwd ../up
try -i ''
try -o /abs
try -o ..
try -o .
try --virtual nope
try --input-map =x
try --input-map a
try --virtual =x
try -e =x
try -p x
try --input-root zz
try --root /nonexistent
try --input-list /nonexistent
try --dry-run --upload-only
try --require-cached --no-cache-lookup
