# A socket whose server hangs up at once, as one does for other users, is not taken for a matter of TLS
python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX)
s.bind("s")
s.listen()
open("ready", "w")
while True:
    s.accept()[0].close()
' &
while [ ! -e ready ]; do sleep 0.05; done
remex caps -r "unix://$PWD/s" --retries 0
code=$?
kill $!
exit "$code"
