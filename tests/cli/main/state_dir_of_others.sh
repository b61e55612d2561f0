# A state directory that others can write to is refused
mkdir state
chmod 777 state
REMEX_STATE_DIR=$PWD/state remex caps
ls state
