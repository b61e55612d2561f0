# A misspelt second word is recognised
remex cas putt a
