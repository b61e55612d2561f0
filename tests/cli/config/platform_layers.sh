# Platform properties of all places, the stronger wins
echo 'platform: {a: file, b: file}' >.remex.yaml
REMEX_PLATFORM=$'b=env\nc=env' remex exec --dry-run -p c=opt -- true >merged
rm .remex.yaml
remex exec --dry-run -p a=file -p b=env -p c=opt -- true | cmp - merged && echo same
