# Settings files that are broken, huge or of another kind: 2, with file and line
try() { # try NAME: with standard input as .remex.yaml
	cat >.remex.yaml
	timeout 20 remex caps >../out 2>../err
	echo "$1: $? $(plain <../err | cut -c 1-300 | head -n 1)"
}
try "not a map" <<<'- a'
try scalar <<<'just text'
try "tab" <<<$'remote:\n\tx: y'
try "unclosed" <<<'remote: "x'
try "two documents" <<<$'jobs: 1\n---\njobs: 2'
try "twice" <<<$'jobs: 1\njobs: 2'
try "list for one" <<<'jobs: [1, 2]'
try "map for one" <<<'jobs: {a: 1}'
try "null" <<<'jobs: ~'
try "null list" <<<'header:'
try "bad remotes" <<<'remotes: [a]'
try "remote without" <<<'remotes: {a: }'
try "unknown in remote" <<<$'remotes:\n  a:\n    remot: grpc://x:1'
try "unknown remote" <<<'remote: nobody'
try "bad url" <<<'remote: http://x'
try "bad duration" <<<'rpc-timeout: soon'
try "bad choice" <<<'color: blue'
try "alias" <<<$'a: &a [x]\njobs: *a'
try "bomb" <<<"$(echo 'a: &a [x,x,x,x,x,x,x,x,x]'; for i in b c d e f g h i; do p=$(tr b-i a-h <<<$i); echo "$i: &$i [*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p]"; done)"
try "deep" < <(head -c 100000 /dev/zero | tr '\0' '[')
try "huge" < <(printf 'header:\n'; seq -f '  n%.0f: x' 1000000)
try "binary" < <(head -c 1000 /dev/zero)
try "latin1" < <(printf 'tool: \xe9/1\n')
rm .remex.yaml && mkdir .remex.yaml && echo "directory: $(remex caps 2>&1 >/dev/null | plain)"
rmdir .remex.yaml && mkfifo .remex.yaml && echo "fifo: $(timeout 20 remex caps 2>&1 >/dev/null | plain)"
