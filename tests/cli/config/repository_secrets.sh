# Secrets of a repository do not count and are not read
echo "token-file: /nonexistent/token" >.remex.yaml; remex caps >/dev/null
