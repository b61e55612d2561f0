# Digests of a dry run, computed by hand from the protocol; no server
echo hi >a.txt; REMEX_STATE_DIR=/nonexistent remex exec --dry-run -i a.txt -o b -- cp a.txt b
