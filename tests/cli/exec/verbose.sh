# -v tells in a line what happened
echo v >in
remex -v exec -i in -- cat in
remex -v exec -i in -- cat in
