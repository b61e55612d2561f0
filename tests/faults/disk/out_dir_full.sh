# The disk fills while outputs come: told with the path, nothing half-written
small_disk
any() { # the first that fails is any of them
	 sed -E "s#'(small|copy|dir.a|dir.b|a|b)': writing#FILE: writing#"
}
make_inputs
d=$(remex cas put big | cut -d' ' -f1)
t=$(mkdir t && cp big t/a && echo small >t/b && remex cas put t | cut -d' ' -f1)
fault remex exec --out-dir disk -i big -o copy -- cp big copy | any
fault remex exec --out-dir disk -i big -o small -o copy -- sh -c 'cp big copy; echo small >small' | any
fault remex exec --out-dir disk -i big -o dir/ -- sh -c 'mkdir dir; cp big dir/a; echo small >dir/b' | any
echo old >disk/copy
fault remex exec --out-dir disk -i big -o copy -- cp big copy | any
cat disk/copy
rm -r disk/*
fault remex cas get "$d" -o disk/got | any
fault remex cas get --dir "$t" -o disk/t | any
mkdir disk/t
fault remex cas get --dir "$t" -o disk/t | any
echo mine >disk/t/mine
fault remex cas get --dir --force "$t" -o disk/t | any
fault sh -c 'remex cas cat '"$d"' >disk/cat'
rm disk/cat
fault remex exec --result disk/result.json -o x -- sh -c 'echo x >x' | sed "s,\(result.json\) .*,\1,"
