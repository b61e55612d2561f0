# An unknown command is a usage error
remex frobnicate
