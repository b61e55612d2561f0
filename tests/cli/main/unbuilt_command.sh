# What is not built is unknown, not accepted and ignored
for c in lint scrub doctor trust wrap daemon graph bench op action; do remex "$c" 2>/dev/null; echo $?; done | sort | uniq -c | tr -s " "
