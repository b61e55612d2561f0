# A blob that is no Directory is unreadable input
echo nothing >f; d=$(remex cas put f | cut -d" " -f1); remex cas get --dir $d -o x; echo $?; ls; remex cas ls $d
