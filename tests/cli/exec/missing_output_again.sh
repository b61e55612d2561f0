# A cached result without a declared output runs again, and its text is shown once
remex exec -o nope -- sh -c 'echo text' 2>/dev/null
remex exec -o nope -- sh -c 'echo text'
