# --tree prints the Tree too
mkdir -p d/sub
echo hi >d/a.txt
printf '#!/bin/sh\n' >d/run
chmod 755 d/run
: >d/sub/b
ln -s a.txt d/l
remex cas put --tree d
remex cas has 8cb34713994ebb28c0f81f7e324a73bf50b126b36215e35f82aeac1340898bd9/325 0f90a049d9993e549053f50a4f751fe86a73b1f8a168741a4fb37fc1495c7d71/73 && echo there
