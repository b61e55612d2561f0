# Flags and counts in the environment
REMEX_QUIET=perhaps remex caps
REMEX_VERBOSE=x remex caps
REMEX_COLOR=blue remex caps
