# --exclude searches the path; a directory that matches is not entered
mkdir -p src/tmp
echo 'int a;' >src/a.c
touch src/a.o src/tmp/x
remex exec --dry-run -i src --exclude '\.o$' --exclude '^src/tmp$' -- true | tail -n 1
remex exec --exclude '(' -- true
