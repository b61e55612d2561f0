# A failure runs again
for i in 1 2; do remex exec --json -- sh -c 'echo fails; exit 3' | json '[.cached, .exit_code]'; done
