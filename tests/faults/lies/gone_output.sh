# REAPI rule 103: a cached result whose output is gone is as good as none
lying slow=0
action=$(remex exec --dry-run --json -o out.txt -- tool | json .action_digest)
echo gone >gone
d=$(remex cas put gone | cut -d' ' -f1)
printf '{"exit_code": 0, "outputs": [{"path": "out.txt", "kind": "file", "digest": "%s"}]}' "$d" >result.json
remex ac put -q -r "$url" "$action" --result result.json || exit
remex ac get -r "$url" "$action" >/dev/null || exit
fault remex exec -r "$url" -o out.txt -- tool
cat out.txt
rm out.txt
# and when nobody may run it, it is not cached
fault remex exec -r "$url" --require-cached -o out.txt -- tool
