# A directory's entries, and all below it
mkdir -p d/sub
echo hi >d/a.txt
printf '#!/bin/sh\n' >d/run
chmod 755 d/run
: >d/sub/b
ln -s a.txt d/l

remex cas put d >/dev/null
remex cas ls ae2ac63ed732a0155799b3c5cbf256e9ecd22a322c50041c88efcd6527329d53/247
remex cas ls -R ae2ac63ed732a0155799b3c5cbf256e9ecd22a322c50041c88efcd6527329d53/247
remex cas ls --json ae2ac63ed732a0155799b3c5cbf256e9ecd22a322c50041c88efcd6527329d53/247 | json '[.schema, .path, .kind]'
