# Nothing of a directory that becomes a store is removed
mkdir -p store/tmp/mine store/.remex-actions-backup
touch store/tmp/mine/file store/tmp/file store/.remex-actions-backup/file
remex serve --json --dir "$PWD/store" --listen "unix://$PWD/s" >ready 2>log &
pid=$!
trap 'kill $pid; wait $pid' EXIT
wait_for test -s ready
sleep 0.3
find store/tmp store/.remex-actions-backup -type f | sort
