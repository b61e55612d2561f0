# What the protocol cannot say is told before anything is sent
bad=$'x\xff'
remex exec -r "$nowhere" -o "$bad" -- true
remex exec -r "$nowhere" -e "A=$bad" -- true
remex exec -r "$nowhere" -p "$bad=1" -- true
remex exec --dry-run -- echo "$bad"
