# A failed call is told in JSON with its status
remex caps --json -r $nowhere --retries 0 | json "[.schema, .error.code, .error.grpc]"; exit ${PIPESTATUS[0]}
