# The store's disk fills: the client is told, what fits still goes, no temporary files stay
small_disk
make_inputs
mkdir w && mv in.txt big w && cd w
serving --dir "${PWD%/*}/disk" --listen "unix://${PWD%/*}/s" --insecure
needs() { sed -E 's#[0-9]+ of [0-9]+ bytes are in recent use and [0-9]+ more#N of N bytes are in recent use and N more#; s#/[^ ]*/disk#DISK#'; }
fault remex cas put -r "$url" --retries 1 big in.txt | needs
fault remex cas put -r "$url" --retries 1 in.txt
fault remex exec -r "$url" --retries 1 -i in.txt -o big -- sh -c 'head -c 3000000 /dev/zero >big' | needs
fault remex exec -r "$url" --retries 1 -- true
remex cas has -r "$url" "$(remex cas put --dry-run in.txt | cut -d' ' -f1)" && echo still there
find ../disk/tmp -type f
ls ../disk | grep -v ^actions
