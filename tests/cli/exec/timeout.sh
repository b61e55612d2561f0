# A timeout is 124
remex exec --timeout 300ms -- sleep 20
