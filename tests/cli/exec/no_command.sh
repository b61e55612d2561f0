# The command is needed
remex exec -i x --
