# What the action sees: inputs, lists, maps, virtual files, its own directory
mkdir -p in/deep
echo 1 >in/deep/f; echo 2 >listed; echo 3 >'spa ce'; echo 4 >local
printf 'listed\nspa ce\n' >list
remex exec -i in --input-list list --input-map local=mapped/to --virtual 'gen=a=b' --cwd in -- sh -c 'pwd | grep -o in$; cd ..; find . -type f | LC_ALL=C sort; cat gen'
