# --force replaces files, not pipes or devices, nor links to them
echo hi >a
digest=$(remex cas put a | cut -d' ' -f1)
mkfifo pipe
ln -s pipe link
ln -s a good
for path in pipe link good new/; do
	remex cas get "$digest" -o $path --force
	echo $?
done
find . -name pipe -printf '%y %p\n' -o -name link -printf '%y %p\n' -o -name good -printf '%y %p\n' -o -name new | sort
