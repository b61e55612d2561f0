# A stronger -r leaves the weaker place's --cas behind
printf 'remote: grpc://127.0.0.1:1\ncas: grpc://127.0.0.1:2\n' >.remex.yaml
remex cas has e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0 --retries 0
remex cas has -r embedded e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0
