# An empty directory that is there is filled and stays itself, also when the blob is missing
mkdir d && echo hi >d/a && mkdir -m 700 e
digest=$(remex cas put d | cut -d' ' -f1)
remex cas get --dir "$(sha 'is nowhere')" -o e
echo $?
(cd e && remex cas get --dir "$digest" -o .) && diff -r d e && stat -c %a e
ls -A e
