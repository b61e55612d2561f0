# With --json standard output is JSON whatever the action prints
remex exec --json -- sh -c 'echo {not json; echo also >&2' | json '[.stdout, .stderr]'
