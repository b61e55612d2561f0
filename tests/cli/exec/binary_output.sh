# Output that is no text
remex exec --json -- printf '\377\001' | json .stdout_base64; remex exec -- printf '\377\001' | od -An -tx1
