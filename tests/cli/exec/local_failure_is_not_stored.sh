# REAPI rule 107: what failed here, or must not be cached, is not stored
for options in "false" "true" "--do-not-cache true" "--timeout 100ms sleep 5"; do
	# shellcheck disable=SC2086 # words
	action=$(remex exec --strategy local --json --salt not-stored $options 2>/dev/null | json .action_digest)
	remex ac get "$action" >/dev/null 2>&1
	echo "$options: $?"
done
