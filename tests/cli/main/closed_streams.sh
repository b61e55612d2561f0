# Closed standard streams: no descriptor of remex's own takes their place
remex exec -o made -- sh -c 'echo data >made' <&- >&- 2>&-
echo $?
cat made
remex exec -- echo hi >&-
echo $?
