# fish completion of remex. Options come from the program itself (remex --list-options).

function __remex_command
    set -l words (commandline -opc)
    set -e words[1]
    set -l found
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --color --config
                set skip 1
            case '-*'
            case help # a command follows it
                test (count $found) = 0; or set -a found $word
            case '*'
                set -a found $word
                test (count $found) = 2; and break
        end
    end
    if test (count $found) -ge 1
        if not remex --list-options 2>/dev/null | string match -q -- "command	$found[1] *"
            set found $found[1]
        end
    end
    test (count $found) -gt 0; and printf '%s\n' $found
end

function __remex_lines
    set -l command (__remex_command)
    if test (count $command) -gt 0
        remex --list-options $command 2>/dev/null; and return
    end
    remex --list-options 2>/dev/null
end

function __remex_words
    set -l command (__remex_command)
    for line in (__remex_lines)
        set -l fields (string split \t -- $line)
        test "$fields[1]" = command; or continue
        if test (count $command) = 0
            set -l words (string split ' ' -- $fields[2])
            printf '%s\n' $words[1]
        else if string match -q -- "$command[1] *" $fields[2]
            printf '%s\t%s\n' (string split ' ' -- $fields[2])[2] $fields[3]
        end
    end
    test "$command[1]" = completion; and printf '%s\n' bash zsh fish
end

function __remex_options
    for line in (__remex_lines)
        set -l fields (string split \t -- $line)
        test "$fields[1]" = option; or continue
        printf '%s\t%s\n' $fields[2] $fields[6]
        test -n "$fields[3]"; and printf '%s\t%s\n' $fields[3] $fields[6]
    end
end

function __remex_choices
    set -l previous (commandline -opc)[-1]
    for line in (__remex_lines)
        set -l fields (string split \t -- $line)
        if test -n "$fields[5]"; and contains -- $previous $fields[2] $fields[3]
            string split '|' -- $fields[5]
            return
        end
    end
end

# What stands at the cursor: choices, files, options or words.
function __remex_at
    set -l words (commandline -opc)
    # behind "--" stands another program's command line
    if contains -- -- $words
        echo files
        return
    end
    if string match -q -- '-*' $words[-1]
        for line in (__remex_lines)
            set -l fields (string split \t -- $line)
            if test "$fields[1]" = option -a -n "$fields[4]"; and contains -- $words[-1] $fields[2] $fields[3]
                test -n "$fields[5]"; and echo choices; or echo files
                return
            end
        end
    end
    if string match -q -- '-*' (commandline -ct)
        echo options
    else if test -n "$(__remex_words)"
        echo words
    else
        echo files
    end
end

complete -c remex -f
complete -c remex -n 'test (__remex_at) = files' -F
complete -c remex -n 'test (__remex_at) = words' -a '(__remex_words)'
complete -c remex -n 'test (__remex_at) = options' -a '(__remex_options)'
complete -c remex -n 'test (__remex_at) = choices' -a '(__remex_choices)'
