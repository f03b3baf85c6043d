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

_supervise_limits() {
    compset -P '*,'
    local -a all=(@limits@)
    if ! compset -P '*='; then compadd "$@" -q -S = -a all; fi
}

_supervise_capabilities() {
    compset -P '*,'
    local -a all=(ALL @capabilities@)
    compadd "$@" -q -S , -a all
}

_supervise_command_name() { _command_names -e; }

_supervise_target_wait-for() {
    if compset -P '(unix|file):'; then
        _files
    elif compset -P 'exec:'; then
        _command_names -e
    elif compset -P 'tcp:'; then
        _hosts -q -S :
    else
        compadd -S '' tcp: unix: http:// file: exec:
    fi
}

_supervise_ready() {
    if [[ $PREFIX == fd:* ]]; then return 1; fi
    if [[ $PREFIX == *:* ]]; then _supervise_target_wait-for; return; fi
    compadd "$@" sd_notify
    compadd "$@" -S '' fd: tcp: unix: http:// file: exec:
}

# The name of a signal, behind ctl's verb for that.
_supervise_ctl_signal() { if [[ $words[2] == signal ]]; then _supervise_signal "$@"; fi; }

_supervise_target_run() { _files -/; }

# The first word that is no option.
_supervise_first() {
    local -a subcommands=(@subcommands@)
    local found=1
    if (( CURRENT == 2 )); then _describe -t subcommands subcommand subcommands && found=0; fi
    _command_names -e && found=0
    return found
}

# A subcommand that has targets in front of its command.
_supervise_waiting() {
    local end=${words[(i)--]}
    if (( end < CURRENT )); then
        shift $end words
        (( CURRENT -= end ))
        _normal
        return
    fi
    local -a options=(
@specs@
    )
    case $1 in
@running-cases@
    esac
    _arguments -s -S : $options "*:target:_supervise_target_$1"
}

_supervise() {
    local -a options
    if (( CURRENT > 2 )); then
        local subcommand=$words[2]
        case $subcommand in
            (@names@|@running@|@alone@) shift words; (( CURRENT-- )) ;;
        esac
        case $subcommand in
@subcommand-cases@
        esac
        case $subcommand in
            (@names@) _arguments -s -S : $options; return ;;
            (@running@) _supervise_waiting $subcommand; return ;;
            (@alone@)
                _arguments -s -S -A '-*' : $options '(-)1:command:_command_names -e' '*::argument:_normal'
                return
                ;;
        esac
    fi
    options=(
@specs@
    )
    _arguments -s -S -A '-*' : $options \
        '(-)1:command:_supervise_first' \
        '*::argument:_normal'
}

# Read by source it is to be made known; found in fpath it is called.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _supervise "$@"
else
    compdef _supervise supervise
fi
