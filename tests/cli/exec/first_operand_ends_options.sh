# Options behind the command are the command's
remex exec echo -o --json --
