# SIGINT ends a waiting call with 130
remex exec -- sleep 30 &
sleep 1
kill -INT $!
wait $!
