# Half a command lists its other halves
remex cas
