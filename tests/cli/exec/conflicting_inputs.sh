# Two things at one path are refused, both named
echo 1 >a; remex exec -i a --virtual a=2 -- true
