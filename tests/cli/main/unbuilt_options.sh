# Options of later milestones are unknown
for o in --credential-helper=x --compress=off --blobs=x --bazelrc=x; do
	remex caps "$o" 2>&1 | head -n 1
done
for o in --lint=off --scrub=x --explain-miss --audit=1 --batch=x --no-wait --max-actions=1; do
	remex exec "$o" -- true 2>&1 | head -n 1
done
remex exec --strategy race -- true
