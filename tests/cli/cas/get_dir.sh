# A directory and a Tree come back whole
mkdir -p d/sub
echo hi >d/a.txt
printf '#!/bin/sh\n' >d/run
chmod 755 d/run
: >d/sub/b
ln -s a.txt d/l

remex cas put --tree d >/dev/null
remex cas get --dir ae2ac63ed732a0155799b3c5cbf256e9ecd22a322c50041c88efcd6527329d53/247 -o x && diff -r d x && readlink x/l && test -x x/run && echo dir
remex cas get --tree 8cb34713994ebb28c0f81f7e324a73bf50b126b36215e35f82aeac1340898bd9/325 -o y && diff -r d y && echo tree
remex cas get --dir ae2ac63ed732a0155799b3c5cbf256e9ecd22a322c50041c88efcd6527329d53/247 -o x
