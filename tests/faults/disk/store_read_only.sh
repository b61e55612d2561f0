# A store that cannot be written, or is no directory
small_disk ro
touch plain
fault remex serve --dir "$PWD/disk" --listen "unix://${PWD%/*}/s"
fault remex serve --dir "$PWD/plain" --listen "unix://${PWD%/*}/s"
fault remex serve --dir "$PWD/dir" --listen "unix://$PWD/disk/s"
fault remex serve --dir "$PWD/dir" --listen "unix://$PWD/nowhere/s"
fault env REMEX_STATE_DIR="$PWD/disk" remex caps
fault env REMEX_STATE_DIR="$PWD/plain" remex caps
