# A result as text and as JSON
remex exec --result r.json -o o -- sh -c 'echo made >o; echo said'
action=$(json .action_digest <r.json)
remex ac get "$action" | sed '/^worker/d'
remex ac get --json "$action" | json '[.schema, .exit_code, .outputs[0].path]'
sha $'made\n'
sha $'said\n'
