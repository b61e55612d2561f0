# A pipe, a device or a link that --result names is written to; an output does not replace a pipe
mkfifo pipe
timeout 10 cat pipe >got &
remex exec --result pipe -- true
wait
json .exit_code <got
echo old and longer than the new one by far >target
ln -s target link
remex exec --result link -- true
json .exit_code <target
remex exec -o pipe -- sh -c 'echo 1 >pipe'
echo $?
find . -name pipe -printf '%y %p\n' -o -name link -printf '%y %p\n' | sort
