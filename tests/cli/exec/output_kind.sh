# PATH/ must be a directory
remex exec -o d/ -- touch d
