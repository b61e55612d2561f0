# A result that names a file which the action does not declare overwrites nothing
echo precious >main.c
digest=$(remex cas put main.c | cut -d' ' -f1)
action=$(remex exec --upload-only -o out -- sh -c 'echo made >out' | sed -n 's/^action //p')
file() { jq -nc '{path: $ARGS.positional[0], kind: "file", digest: $ARGS.positional[1]}' --args "$@"; }
echo altered >main.c
echo "{\"exit_code\":0,\"outputs\":[$(file out "$digest"),$(file main.c "$digest")]}" >result.json
remex ac put "$action" --result result.json
remex exec -o out -- sh -c 'echo made >out'
echo $?
cat main.c
ls
