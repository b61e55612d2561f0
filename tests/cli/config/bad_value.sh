# A bad value is told with file, line and key
printf "\njobs: many\n" >.remex.yaml; remex caps
