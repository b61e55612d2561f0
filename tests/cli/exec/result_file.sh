# --result holds what --json prints, and the action's output is passed on
remex exec --result r.json -- echo passed
json '[.schema, .exit_code, .stdout_digest]' <r.json
sha $'passed\n'
remex exec --result /nonexistent/r.json -- echo passed
