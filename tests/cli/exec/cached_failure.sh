# A failure that somebody put into the cache is no answer, neither here nor from the server
action=$(remex exec --upload-only -- echo real | sed -n 's/^action //p')
echo '{"exit_code":7,"outputs":[]}' >result.json
remex ac put "$action" --result result.json
remex exec --require-cached -- echo real
echo $?
remex exec -- echo real
remex exec --json -- echo real | json .cached
