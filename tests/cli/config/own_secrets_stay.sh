# Own secrets are kept from a repository's endpoint
export XDG_CONFIG_HOME=$PWD/own
mkdir -p own/remex
echo 'header: {authorization: secret}' >own/remex/config.yaml
echo 'remote: grpc://127.0.0.1:1' >.remex.yaml
remex caps --retries 0
