# Lists by line and by NUL
printf 'a\nb c\n' >lines
printf 'd\0e\nf\0' >nuls
remex exec --output-list lines --output-list nuls -- sh -c 'touch a "b c" d "e
f"'
rm lines nuls
ls -1 --quoting-style=c
