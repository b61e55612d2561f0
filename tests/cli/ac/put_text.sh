# Text in the result is stored as blobs
echo '{"exit_code":0,"stdout":"from text\n","stderr_base64":"/wE="}' >r.json
action=$(remex exec --upload-only -- echo replaced | sed -n 's/^action //p')
remex ac put "$action" --result r.json
remex exec -- echo replaced 2>err
od -An -tx1 err
