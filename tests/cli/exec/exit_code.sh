# The action's exit code is ours
for n in 0 1 42 255; do remex exec -- sh -c "exit $n"; echo $?; done
