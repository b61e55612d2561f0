# --upload-only prints digests and runs nothing
echo uploaded >f
remex exec --upload-only -i f -- touch made >digests
remex exec --dry-run -i f -- touch made | cmp - digests && echo same
remex cas has $(cut -d' ' -f2 digests) $(sha $'uploaded\n') && echo there
remex ac get $(sed -n 's/^action //p' digests)
