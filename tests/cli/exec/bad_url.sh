# Malformed URLs
for u in http://x:1 grpc:// grpc://x:0 grpc://x:99999 unix://relative '' ; do
	remex exec -r "$u" -- true 2>&1 | head -n 1
done
