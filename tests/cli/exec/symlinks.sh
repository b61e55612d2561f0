# Symlinks are kept, or followed
echo data >f
ln -s f l
remex exec --dry-run -i f -i l -- true | tail -n 1
remex exec --dry-run -i f -i l --symlinks resolve -- true | tail -n 1
remex exec --symlinks sometimes -- true
