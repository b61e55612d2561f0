# A misspelt command is recognised
remex exce -- true
