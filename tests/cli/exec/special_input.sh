# A FIFO is no input
mkfifo p; remex exec -i p -- true
