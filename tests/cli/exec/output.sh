# An output comes home; stdout and stderr are passed on
echo hi >a.txt
remex exec -i a.txt -o out/b -- sh -c 'mkdir -p out; cp a.txt out/b; echo to stdout; echo to stderr >&2'
cat out/b
