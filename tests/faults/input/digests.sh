# Malformed digests name what is wrong, everywhere a digest is taken
url=unix://$REMEX_STATE_DIR/run/socket
h=98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4
long=$(head -c 5000 /dev/zero | tr '\0' a)
for d in "$h" "$h/" "$h/x" "$h/-1" "$h/+1" "$h/01" "$h/1/2" "$h/9223372036854775807" "$h/9223372036854775808" "$h/ 1" " $h/1" "${h^^}/1" \
	"${h%?}/1" "${h}0/1" "${h%?}g/1" "sha256:$h/1" "sha1:$h/1" "SHA256:$h/1" "md4:$h/1" ":$h/1" "blobs/$h/1" "/blobs/$h/1" \
	"main/blobs/$h/1" "main/blobs/$h/1/name" "blobs/$h" "uploads/x/blobs/$h/1" "main/compressed-blobs/zstd/$h/1" \
	"main/compressed-blobs/lzma/$h/1" "blobs/blake3/$h/1" "blobs/sha256tree/$h/1" "$h/0" "$long/1" "../$h/1" "" /; do
	echo "== ${d//$long/LONG}"
	for command in "cas has" "exec --dry-run --input-root"; do
		# shellcheck disable=SC2086 # words
		if [[ $command == exec* ]]; then
			timeout 20 remex $command "$d" -- true >../out 2>../err
		else
			timeout 20 remex $command -- "$d" >../out 2>../err
		fi
		echo "$command: $? $(plain <../err | head -n 1)"
	done
done
ls -A
