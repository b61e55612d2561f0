# REAPI rules 51, 52: absolute symlinks go only where they are taken
echo x >file && ln -s "$PWD/file" absolute && ln -s file relative
for lie in slow=0 links-refused links-unknown; do
	lying $lie
	for option in "-i absolute" "-i relative" "--symlinks resolve -i absolute"; do
		echo "== $lie: $option"
		# shellcheck disable=SC2086 # words
		fault remex exec -r "$url" $option -o out.txt -- tool
		rm -f out.txt
	done
done
