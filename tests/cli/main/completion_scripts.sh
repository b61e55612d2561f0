# Completion scripts are printed and parse
remex completion bash >bash && bash -n bash && echo bash
remex completion zsh | head -n 1
remex completion fish | head -n 1
remex completion tcsh
