# exec has 125 for it
printf "bogus: 2\n" >.remex.yaml; remex exec -- true
