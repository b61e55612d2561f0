# The promised fields of --json
remex exec --json -o d/ -o l -- sh -c 'mkdir d; echo 1 >d/f; ln -s d/f l; echo text; echo more >&2' >x.json
json '.action_digest, .command_digest, .input_root_digest | test("^[0-9a-f]{64}/[0-9]+$")' <x.json
json '[.outputs[] | .path, .kind, .target // (.tree_digest | length > 64)]' <x.json
json '[.stdout_digest, .stderr_digest]' <x.json
sha $'text\n'
sha $'more\n'
json '[.remote | test("^unix:///")] + [.uploaded_bytes > 0, .downloaded_bytes > 0, (.stages | type)] + [.stdout, .stderr]' <x.json
ls -d d/f l
