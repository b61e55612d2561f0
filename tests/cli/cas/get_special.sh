# --force replaces files, not pipes or devices
echo hi >a
digest=$(remex cas put a | cut -d' ' -f1)
mkfifo pipe
remex cas get "$digest" -o pipe --force
echo $?
find . -type p
