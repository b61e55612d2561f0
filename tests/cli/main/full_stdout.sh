# A full standard output is an error
remex version >/dev/full
