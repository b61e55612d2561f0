# option > environment > nearest file > own file
export XDG_CONFIG_HOME=$PWD/own
mkdir -p own/remex sub
where() { "$@" 2>&1 >/dev/null | sed -n '1s/.*grpc:..\(127.0.0.1:[0-9]*\): .*/\1/p'; }
echo 'remote: grpc://127.0.0.1:1' >own/remex/config.yaml
echo 'retries: 0' >>own/remex/config.yaml
cd sub
where remex caps
echo 'remote: grpc://127.0.0.1:2' >../.remex.yaml
where remex caps
echo 'remote: grpc://127.0.0.1:3' >.remex.yaml
where remex caps
export REMEX_REMOTE=grpc://127.0.0.1:4
where remex caps
where remex caps -r grpc://127.0.0.1:5
