# A path is needed
remex cas put
