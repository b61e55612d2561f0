# Every malformed endpoint is a usage error that shows it, and nothing secret in it
long=$(head -c 5000 /dev/zero | tr '\0' x)
for u in grpc:host:1 grpc:/host:1 "grpc://host:1 " "grpc://ho st:1" grpc://host:-1 grpc://host:1x grpc://host: grpc://:1 \
	grpc://host:1/path "grpc://host:1?x=y" "grpc://host:1#f" "grpc://[::1" "grpc://::1:1" "grpc://[zz]:1" "grpc://[::1]x:1" \
	grpc://user:secret@:1 unix: unix:// unix:/relative unix://./x "unix:///$long" "grpc://$long:1" \
	GRPC://host:1 "grpc://host:1,other:1" $'grpc://host:1\nx' $'grpc://ho\x1b[2Jst:1' $'grpc://\xff:1' dns:///host:1 xds:///x \
	http://host:1 https://user:secret@host https:// tcp://host:1 "://" ":" "//host:1" embedded:// "embedded/x" \
	grpc://host:184467440737095516161 grpc://host:0x50 grpc://host:+80 "grpc://host:٣"; do
	timeout 20 remex caps -r "$u" --retries 0 --rpc-timeout 3s >../out 2>../err
	echo "$? $(head -n 1 ../err | sed -E "s#x{500,}#LONG#g")"
	! grep secret ../err
done
