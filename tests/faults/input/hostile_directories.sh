# Directories in the CAS that no client would make: refused whole, nothing is written anywhere
url=unix://$REMEX_STATE_DIR/run/socket
cat >../make.py <<'END'
import hashlib, sys

def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])

def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value

def digest(data, size=None):
    return field(1, hashlib.sha256(data).hexdigest()) + field(2, len(data) if size is None else size)

def node(name, data=b"", size=None):
    return (field(1, name) if name else b"") + field(2, digest(data, size))

def file(name, data=b"x"): return field(1, node(name, data))
def directory(name, data=b""): return field(2, node(name, data))
def link(name, target): return field(3, (field(1, name) if name else b"") + (field(2, target) if target else b""))

deep = b""
for _ in range(2000):
    open("deep.d/" + hashlib.sha256(deep).hexdigest(), "wb").write(deep)
    deep = directory("d", deep)
cases = {
    "dot_dot": file("../escaped"), "only_dot_dot": file(".."), "dot": directory("."), "absolute": file("/tmp/escaped"),
    "slash": directory("a/b"), "empty_name": file(""), "nul": file("a\0b"), "not_utf8": field(1, node(b"\xff\xfe")),
    "twice": file("a") + file("a"), "two_kinds": file("a") + directory("a"), "link_and_dir": directory("a") + link("a", "/tmp"),
    "no_digest": field(1, field(1, "a")), "short_hash": field(1, field(1, "a") + field(2, field(1, "abc") + field(2, 1))),
    "negative_size": field(1, node("a", b"x", -1)), "empty_target": link("a", ""), "target_nul": link("a", "b\0c"),
    "truncated": file("a")[:-3], "wrong_type": field(1, 7), "group": b"\x0b\x0c", "endless_varint": b"\x08" + b"\xff" * 20,
    "long_name": file("n" * 5000), "too_deep": deep, "link_out": link("out", "/etc/passwd") + file("plain", b"plain"),
}
for name, data in cases.items():
    open(name, "wb").write(data)
END
mkdir ../made ../made/deep.d && (cd ../made && python3 ../make.py)
printf x >x && printf plain >plain && remex cas put -q x plain ../made/deep.d >/dev/null && rm x plain
for f in ../made/*; do
	name=${f##*/}
	[ "$name" != deep.d ] || continue
	d=$(remex cas put "$f" | cut -d' ' -f1)
	echo "== $name"
	fault remex cas get --dir "$d" -o got | sed -E "s#(d/){9,}#d/…/#"
	[ ! -d got ] || { rm -r got; continue; }
	fault remex exec --input-root "$d" -- true
done
! ls -d ../escaped /tmp/escaped 2>/dev/null
