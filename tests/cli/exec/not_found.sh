# A command that is not there is 127
remex exec -- no-such-command
