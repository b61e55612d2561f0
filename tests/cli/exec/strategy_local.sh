# --strategy local runs here and stores
echo local >in
remex exec --json --strategy local -i in -o out -- cp in out | json '[.exit_code, .cached]'
cat out
remex exec --json -i in -o out -- cp in out | json '[.exit_code, .cached]'
remex exec --strategy local -- sh -c 'exit 7'
