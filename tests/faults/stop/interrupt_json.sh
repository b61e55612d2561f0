# An interrupted command says so in JSON as well
make_inputs
lying execute-hang
stopped INT remex exec --json -r "$url" -i in.txt -o out.txt -- tool
