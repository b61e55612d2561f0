# -r picks a remote with its settings; names come from anywhere
cat >.remex.yaml <<'Y'
retries: 0
remotes:
  a: {remote: 'grpc://127.0.0.1:1', digest-function: bogus}
  b: grpc://127.0.0.1:2
Y
remex caps -r a
remex caps -r b
REMEX_REMOTE=b remex caps
