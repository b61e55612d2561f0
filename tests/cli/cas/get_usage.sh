# What get needs
remex cas get e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0
remex cas get
remex cas get --dir --tree e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0 -o x
