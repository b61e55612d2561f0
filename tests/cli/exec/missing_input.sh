# A missing input is named
remex exec -i nope -- true
