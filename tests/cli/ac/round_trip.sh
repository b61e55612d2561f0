# What get prints, put takes
remex exec --result r.json -o o -- sh -c 'echo rt >o; echo said'
action=$(json .action_digest <r.json)
remex ac get --json "$action" >got.json
# text goes to the server by digest only
remex ac put "$action" --result got.json && remex ac get --json "$action" >back.json
[ "$(json 'del(.stdout)' <got.json)" = "$(json 'del(.stdout)' <back.json)" ] && echo same
remex ac put "$action" --result r.json && echo taken
