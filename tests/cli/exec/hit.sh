# The second time is a hit, and JSON says so
echo hit >a.txt
for i in 1 2; do
	rm -f b
	remex exec --json -i a.txt -o b -- cp a.txt b | json '[.schema, .exit_code, .cached, .outputs[0].path, .outputs[0].kind, .outputs[0].is_executable]'
	cat b
done
