#compdef supervise
# Completions of supervise for zsh, made by `supervise completions zsh`.

_supervise_signal() {
    local -a all=(@signals@)
    compadd "$@" -a all
}

_supervise_time() {
    local -a all=(1s 5s 10s 30s 1m 5m)
    local number=${PREFIX%%[a-z]*}
    if [[ -n $number ]]; then all=(${number}s ${number}ms ${number}m ${number}h); fi
    compadd "$@" -V times -a all
}

_supervise_ladder() {
    compset -P '*,'
    if compset -P '*:'; then _supervise_time "$@"; else _supervise_signal "$@" -q -S ''; fi
}

_supervise_rewrites() {
    compset -P '*,'
    if compset -P '*='; then
        compadd "$@" ignore
        _supervise_signal "$@"
    else
        _supervise_signal "$@" -q -S =
    fi
}

_supervise_codes() {
    compset -P '*,'
    if ! compset -P '*='; then _supervise_signal "$@" -q -S =; fi
}

_supervise_file() { _files "$@"; }
_supervise_directory() { _files -/ "$@"; }

_supervise_user() {
    if compset -P '*:'; then _groups "$@"; else _users "$@" -q -S ''; fi
}

_supervise_variable() {
    if ! compset -P '*='; then _parameters "$@" -g '*export*' -q -S =; fi
}

_supervise_command_name() { _command_names -e; }

# The first word that is no option.
_supervise_first() {
    local -a subcommands=(@subcommands@)
    local found=1
    if (( CURRENT == 2 )); then _describe -t subcommands subcommand subcommands && found=0; fi
    _command_names -e && found=0
    return found
}

_supervise() {
    if (( CURRENT > 2 )); then
        local subcommand=$words[2]
        case $subcommand in
            (@names@) shift words; (( CURRENT-- )) ;;
        esac
        case $subcommand in
@subcommand-cases@
        esac
        case $subcommand in
            (@names@) return ;;
        esac
    fi
    _arguments -s -S -A '-*' : \
@specs@
        '(-)1:command:_supervise_first' \
        '*::argument:_normal'
}

# Read by source it is to be made known; found in fpath it is called.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _supervise "$@"
else
    compdef _supervise supervise
fi
