# Digests of a file and a directory, computed by hand
mkdir -p d/sub
echo hi >d/a.txt
printf '#!/bin/sh\n' >d/run
chmod 755 d/run
: >d/sub/b
ln -s a.txt d/l
remex cas put d/a.txt d
