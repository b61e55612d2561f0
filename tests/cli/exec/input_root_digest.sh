# --input-root takes a directory that is in the CAS
mkdir d
echo content >d/f
root=$(remex cas put d | cut -d' ' -f1)
rm -r d
remex exec --input-root "$root" -- cat f
remex exec --input-root "$root" -i x -- cat f
