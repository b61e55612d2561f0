# A blob comes back; nothing is overwritten without --force
echo round >f
d=$(remex cas put f | cut -d' ' -f1)
remex cas get "$d" -o g && cmp f g
echo precious >h
remex cas get "$d" -o h
echo $?
cat h
remex cas get "$d" -o h --force && cat h
