# Not YAML at all
printf "a: [\n" >.remex.yaml; remex caps
