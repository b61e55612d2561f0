# --require-cached is 123 until it is cached
remex exec --require-cached -- echo rq
echo $?
remex exec -- echo rq
remex exec --require-cached -- echo rq
