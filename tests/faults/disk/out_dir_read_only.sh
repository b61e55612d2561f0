# A read-only place for outputs, and one that is none
small_disk ro
make_inputs
d=$(remex cas put in.txt | cut -d' ' -f1)
fault remex exec --out-dir disk -i in.txt -o copy -- cp in.txt copy
fault remex exec --out-dir disk/deeper -i in.txt -o copy -- cp in.txt copy
fault remex exec --out-dir in.txt -i big -o copy -- cp big copy
fault remex cas get "$d" -o disk/got
fault remex exec --result disk/result.json -i in.txt -o copy -- cp in.txt copy
rm -f copy
echo "== in the way"
mkdir -p out/copy/in
fault remex exec --out-dir out -i in.txt -o copy -- cp in.txt copy
echo file >out/dir
fault remex exec --out-dir out -i in.txt -o dir/ -- sh -c 'mkdir dir; cp in.txt dir/a'
fault remex exec --out-dir out -i in.txt -o dir/b/c -- cp in.txt dir/b/c
ln -s .. out/up
fault remex exec --out-dir out -i in.txt -o up/escaped -- cp in.txt up/escaped
