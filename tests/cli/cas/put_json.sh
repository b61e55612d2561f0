# A line an argument; the second time nothing is sent
echo put-json >f
remex cas put --json f | json '[.schema, .path, .digest, .files, .bytes, .uploaded_blobs, .uploaded_bytes]'
remex cas put --json f | json '[.uploaded_blobs, .uploaded_bytes]'
sha $'put-json\n'
