# A bad variable is told by its name
REMEX_JOBS=many remex caps
