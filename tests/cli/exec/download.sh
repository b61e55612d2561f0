# --download none and match, --out-dir
make='echo 1 >a.o; echo 2 >b.d'
remex exec --download none -o a.o -o b.d -- sh -c "$make"; ls
remex exec --download 'match:\.o$' -o a.o -o b.d -- sh -c "$make"; ls
mkdir to
remex exec --out-dir to -o a.o -o b.d -- sh -c "$make"; ls to
remex exec --download some -- true
