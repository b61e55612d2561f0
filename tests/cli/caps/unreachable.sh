# No server: 4
remex caps -r $nowhere --retries 0
