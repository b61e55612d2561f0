# bash completion of remex. Options come from the program itself (remex --list-options).

_remex()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local program=${COMP_WORDS[0]} tab=$'\t' i word option='' kind long short arg choices
	local -a command=() candidates=()

	# "--option=value" arrives as three words
	if [[ $cur == = ]]; then
		option=$prev cur=
	elif [[ $prev == = ]]; then
		option=${COMP_WORDS[COMP_CWORD-2]}
	elif [[ $prev == -* ]]; then
		option=$prev
	fi

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--)
			# behind "--" stands another program's command line
			COMPREPLY=()
			compopt -o default
			return
			;;
		--color | --config) ((i++)) ;;
		-*) ;;
		help) ((${#command[@]})) && command+=("$word") ;; # a command follows it
		*)
			command+=("$word")
			((${#command[@]} == 2)) && break
			;;
		esac
	done
	# the second word belongs to commands of two words only
	if ((${#command[@]})) && ! "$program" --list-options 2>/dev/null |
		grep -q "^command$tab${command[0]} "; then
		command=("${command[0]}")
	fi

	while IFS= read -r word; do
		kind=${word%%"$tab"*}
		word=${word#*"$tab"}
		if [[ $kind == command ]]; then
			long=${word%%"$tab"*}
			if ((${#command[@]} == 0)); then
				candidates+=("${long%% *}")
			elif [[ $long == "${command[0]} "* ]]; then
				candidates+=("${long#* }")
			fi
			continue
		fi
		long=${word%%"$tab"*} word=${word#*"$tab"}
		short=${word%%"$tab"*} word=${word#*"$tab"}
		arg=${word%%"$tab"*} word=${word#*"$tab"}
		choices=${word%%"$tab"*}
		if [[ -n $option && -n $arg && ($option == "$long" || $option == "$short") ]]; then
			case $arg in
			CHOICE) COMPREPLY=($(compgen -W "${choices//|/ }" -- "$cur")) ;;
			*) compopt -o default ;;
			esac
			return
		fi
		if [[ $cur == -* ]]; then
			candidates+=("$long")
			[[ -n $short ]] && candidates+=("$short")
		fi
	done < <(if ((${#command[@]} == 0)) ||
		! "$program" --list-options "${command[@]}" 2>/dev/null; then
		"$program" --list-options 2>/dev/null
	fi)

	COMPREPLY=($(compgen -W "${candidates[*]}" -- "$cur"))
	[[ ${command[0]} == completion ]] && COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur"))
	((${#COMPREPLY[@]})) || compopt -o default
}
complete -F _remex remex
