# What get prints, put takes
remex exec --result r.json -o o -- sh -c 'echo rt >o; echo said'
action=$(json .action_digest <r.json)
remex ac get --json "$action" >got.json
remex ac put "$action" --result got.json && remex ac get --json "$action" | cmp - got.json && echo same
remex ac put "$action" --result r.json && echo taken
