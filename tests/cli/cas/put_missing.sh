# A path that is not there
remex cas put nope
