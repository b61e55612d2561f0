# Global options stand before and behind the command
remex -q --color never version --color=always -v | head -c 6; remex --color blue version
