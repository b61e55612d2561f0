# --dry-run needs no server
mkdir -p d/sub
echo hi >d/a.txt
printf '#!/bin/sh\n' >d/run
chmod 755 d/run
: >d/sub/b
ln -s a.txt d/l
REMEX_STATE_DIR=/nonexistent remex cas put --dry-run --tree d
