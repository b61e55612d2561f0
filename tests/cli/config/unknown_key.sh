# An unknown key is an error with file:line
printf "jobs: 1\nbogus: 2\n" >.remex.yaml; remex caps
