# No server: 125, with what to do next
remex exec -r $nowhere --retries 0 -- true
