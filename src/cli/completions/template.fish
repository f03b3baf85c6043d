# Completions of supervise for fish, made by `supervise completions fish`.

# Prints where we are: in the `value` of an option, at the `first` word, at `options` or the command, in a
# subcommand, or in the `command`, followed by its words so far.
function __supervise_where
    set -l words (commandline -opc)
    set -e words[1]
    if not set -q words[1]
        echo first
        return
    end
    if contains -- $words[1] @names@
        echo $words[1]
        return
    end
    set -l place options
    if contains -- $words[1] @running@
        set place $words[1]
        set -e words[1]
    end
    while set -q words[1]
        switch $words[1]
            case --
                echo command
                string escape -- $words[2..]
                return
            case @valued@
                if not set -q words[2]
                    echo value
                    return
                end
                set -e words[1..2]
            case '-*'
                set -e words[1]
            case '*'
                if not contains -- $place options @alone@
                    set -e words[1]
                else
                    echo command
                    string escape -- $words
                    return
                end
        end
    end
    echo $place
end

function __supervise_in
    contains -- (__supervise_where)[1] $argv
end

function __supervise_at_command
    set -l where (__supervise_where)
    switch $where[1]
        case command
            return 0
        case first options @alone@
            not string match -q -- '-*' (commandline -ct)
        case '*'
            return 1
    end
end

# What the command itself would complete.
function __supervise_command
    set -l words (__supervise_where)[2..]
    complete -C (string join ' ' -- $words (commandline -ct))
end

# The value so far: what is given of it, and what is to be completed.
function __supervise_given -a breaks
    string replace -r -- '^--[a-z-]+=' '' (commandline -ct) | string replace -r -- "[^$breaks]*\$" ''
end

function __supervise_signal
    string split ' ' '@signals@'
end

function __supervise_time
    set -l number (string match -r -- '[0-9.]+[a-z]*$' (commandline -ct) | string replace -r '[a-z]*$' '')
    if set -q number[1]
        printf '%s\n' $number{s,ms,m,h}
    else
        printf '%s\n' 1s 5s 10s 30s 1m 5m
    end
end

function __supervise_ladder
    if string match -q -r -- ':[^,]*$' (commandline -ct)
        set -l given (__supervise_given ,:)
        printf '%s\n' $given(__supervise_time)
    else
        printf '%s:\n' (__supervise_given ,)(__supervise_signal)
        printf '%s\n' (__supervise_given ,)(__supervise_signal)
    end
end

function __supervise_rewrites
    set -l value (string replace -r -- '^--[a-z-]+=' '' (commandline -ct))
    if string match -q -r -- '=[^,]*$' $value
        printf '%s\n' (__supervise_given ,=)(__supervise_signal; echo ignore)
    else
        printf '%s=\n' (__supervise_given ,)(__supervise_signal)
    end
end

function __supervise_codes
    set -l value (string replace -r -- '^--[a-z-]+=' '' (commandline -ct))
    if not string match -q -r -- '=[^,]*$' $value
        printf '%s=\n' (__supervise_given ,)(__supervise_signal)
    end
end

function __supervise_directory
    __fish_complete_directories (string replace -r -- '^--[a-z-]+=' '' (commandline -ct)) ''
end

function __supervise_user
    if string match -q '*:*' -- (commandline -ct)
        printf '%s\n' (__supervise_given :)(__fish_complete_groups | string replace -r '\t.*' '')
    else
        __fish_complete_users
    end
end

function __supervise_variable
    printf '%s=\n' (set --names -x)
end

function __supervise_limits
    set -l value (string replace -r -- '^--[a-z-]+=' '' (commandline -ct))
    if not string match -q -r -- '=[^,]*$' $value
        printf '%s=\n' (__supervise_given ,)(string split ' ' '@limits@')
    end
end

function __supervise_capabilities
    printf '%s\n' (__supervise_given ,)(string split ' ' 'ALL @capabilities@')
end

function __supervise_command_name
    complete -C (commandline -ct)
end

function __supervise_target_wait_for
    set -l word (string replace -r -- '^--[a-z-]+=' '' (commandline -ct))
    if string match -q -r -- '^(?<kind>unix:|file:)' $word
        printf '%s\n' $kind(__fish_complete_path (string replace -- $kind '' $word))
    else if string match -q -- 'tcp:*' $word
        printf 'tcp:%s:\n' (__fish_print_hostnames)
    else
        printf '%s\n' tcp: unix: http:// file: exec:
    end
end

function __supervise_ready
    if not string match -q -- '*:*' (commandline -ct)
        printf '%s\n' sd_notify fd:
    end
    __supervise_target_wait_for
end

# The name of a signal, behind ctl's verb for that.
function __supervise_at_signal
    __supervise_in ctl; and test (commandline -opc)[-1] = signal
end

complete -c supervise -f
complete -c supervise -n __supervise_at_command -a '(__supervise_command)'
complete -c supervise -n '__supervise_in wait-for' -a '(__supervise_target_wait_for)'
complete -c supervise -n __supervise_at_signal -a '(__supervise_signal)'
complete -c supervise -n '__supervise_in run' -a '(__supervise_directory)'
@lines@
