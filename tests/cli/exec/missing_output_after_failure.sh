# A failed action may leave its outputs out
remex exec -o nope -- false
