# A command is needed
remex
