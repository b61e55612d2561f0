# Help for what is not there
remex help nonesuch
