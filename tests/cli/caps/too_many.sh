# No operands
remex caps x
