# A blob on standard output; the empty one needs nobody
printf 'a\0b' >f
remex cas cat $(remex cas put f | cut -d" " -f1) | od -An -c
remex cas cat e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0
remex cas cat 0000000000000000000000000000000000000000000000000000000000000000/1
