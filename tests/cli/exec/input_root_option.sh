# --root, absolute paths below it, and paths that leave it
mkdir r
echo in >r/f
remex exec --root r -i f -- cat f
remex exec --root r -i "$PWD/r/f" -- cat f
remex exec --root r -i ../r/f -- cat f
