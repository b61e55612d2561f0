# A file that is no program is 126
echo text >data; chmod 644 data; remex exec -i data -- ./data
