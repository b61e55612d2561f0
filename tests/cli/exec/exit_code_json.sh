# --json changes nothing about the exit code
remex exec --json -- sh -c "exit 42" | json .exit_code; exit ${PIPESTATUS[0]}
