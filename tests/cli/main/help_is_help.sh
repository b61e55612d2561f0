# -h, help and --help say the same
remex exec -h >a && remex help exec >b && remex exec --help >c && cmp a b && cmp b c && head -n 1 a
remex cas put -h >a && remex help cas put >b && cmp a b && head -n 1 a
remex -h >a && remex help >b && cmp a b && head -n 1 a
remex help cas | head -n 1
