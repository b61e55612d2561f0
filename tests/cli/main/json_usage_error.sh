# A usage error is told in JSON too
remex caps --json --bogus | json "[.schema, .error.code, .error.message]"; exit ${PIPESTATUS[0]}
