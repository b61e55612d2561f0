# An action that dies of a signal exits 128+N
remex exec -- sh -c 'kill -9 $$'
