# A declared output that is missing after exit 0 is 125
remex exec -o nope -- true
