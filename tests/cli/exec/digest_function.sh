# Other digest functions
echo hi >f
remex exec --digest-function sha1 --json -i f -o g -- cp f g | json '.outputs[0].digest'
remex exec --digest-function crc32 -- true
