# A reader that leaves early is no error to tell
remex help | :
yes | head -c 3000000 >big
digest=$(remex cas put big | cut -d' ' -f1)
remex cas cat "$digest" | head -c 2
echo "${PIPESTATUS[0]}"
