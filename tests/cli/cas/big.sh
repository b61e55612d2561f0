# A blob over the batch limit, up and down
yes 0123456789 | head -c 9000000 >big
d=$(remex cas put big | cut -d' ' -f1)
remex cas get "$d" -o back && cmp big back && echo same
remex cas cat "$d" | cmp - big && echo same
