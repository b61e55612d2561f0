# A result is stored under another digest and exec takes it
echo given >f
d=$(remex cas put f | cut -d' ' -f1)
action=$(remex exec --upload-only -o o -- sh -c 'echo run >o' | sed -n 's/^action //p')
echo "{\"exit_code\":0,\"outputs\":[{\"path\":\"o\",\"kind\":\"file\",\"digest\":\"$d\"}]}" >r.json
remex ac put "$action" --result r.json --json | json '[.schema, .stored]'
remex exec -o o -- sh -c 'echo run >o'
cat o
