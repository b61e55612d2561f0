# The same as JSON
remex caps --json | json "[.schema, .can_execute, .can_update_action_cache, .digest_function, (.digest_functions | index(\"sha256\") >= 0), .assumed]"
