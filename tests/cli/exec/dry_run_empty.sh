# No inputs: the empty root
remex exec --dry-run -- true
