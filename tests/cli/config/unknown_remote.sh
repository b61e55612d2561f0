# An unknown name lists the known
echo "remotes: {ci: grpc://x:1, near: unix:///s}" >.remex.yaml; remex caps -r cj
