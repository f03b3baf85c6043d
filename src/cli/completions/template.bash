# Completions of supervise for bash, made by `supervise completions bash`.

# Offers what compgen finds for the rest of the value, behind what is there of it already.
_supervise_offer() {
    local reply
    while IFS= read -r reply; do COMPREPLY+=("$head$reply"); done < <(compgen "$@" -- "$tail")
}

# Takes what stands before the last of some letters as given.
_supervise_after() {
    local rest=${tail##*[$1]}
    head+=${tail%"$rest"}
    tail=$rest
}

_supervise_signal() { _supervise_offer -W '@signals@'; }
_supervise_time() {
    if [[ $tail =~ ^[0-9]+(\.[0-9]+)?[a-z]*$ ]]; then
        local number=${tail%%[a-z]*}
        _supervise_offer -W "${number}s ${number}ms ${number}m ${number}h"
    elif [[ ! $tail ]]; then
        _supervise_offer -W '1s 5s 10s 30s 1m 5m'
    fi
}
_supervise_ladder() {
    compopt -o nospace
    _supervise_after ,
    if [[ $tail == *:* ]]; then
        _supervise_after :
        _supervise_time
    else
        _supervise_signal
    fi
}
_supervise_rewrites() {
    compopt -o nospace
    _supervise_after ,
    if [[ $tail == *=* ]]; then
        _supervise_after =
        _supervise_offer -W 'ignore @signals@'
    else
        _supervise_offer -S = -W '@signals@'
    fi
}
_supervise_codes() {
    compopt -o nospace
    _supervise_after ,
    if [[ $tail != *=* ]]; then _supervise_offer -S = -W '@signals@'; fi
}
_supervise_file() {
    compopt -o filenames
    _supervise_offer -f
}
_supervise_directory() {
    compopt -o filenames
    _supervise_offer -d
}
_supervise_user() {
    if [[ $tail == *:* ]]; then
        _supervise_after :
        _supervise_offer -g
    else
        _supervise_offer -u
    fi
}
_supervise_variable() {
    compopt -o nospace
    if [[ $tail != *=* ]]; then _supervise_offer -S = -e; fi
}
_supervise_limits() {
    compopt -o nospace
    _supervise_after ,
    if [[ $tail != *=* ]]; then _supervise_offer -S = -W '@limits@'; fi
}
_supervise_capabilities() {
    compopt -o nospace
    _supervise_after ,
    _supervise_offer -W 'ALL @capabilities@'
}
_supervise_command_name() { _supervise_offer -c; }

_supervise_target_wait_for() {
    case $tail in
        unix:* | file:*)
            _supervise_after :
            _supervise_file
            ;;
        exec:*)
            _supervise_after :
            _supervise_offer -c
            ;;
        tcp:*)
            compopt -o nospace
            _supervise_after :
            _supervise_offer -S : -A hostname
            ;;
        *)
            compopt -o nospace
            _supervise_offer -W 'tcp: unix: http:// file: exec:'
            ;;
    esac
}

_supervise_ready() {
    case $tail in
        fd:*) ;;
        *:*) _supervise_target_wait_for ;;
        *)
            compopt -o nospace
            _supervise_offer -W 'sd_notify fd: tcp: unix: http:// file: exec:'
            ;;
    esac
}

_supervise_target_run() { _supervise_directory; }

# The value of an option, as far as it is there.
_supervise_value() {
    tail=$2
    case $1 in
@values@
    esac
}

# The command that begins at that word of bash's, by its own completion.
_supervise_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif (($1 == COMP_CWORD)); then
        compopt -o filenames
        head='' tail=$cur
        _supervise_offer -c
        _supervise_offer -d
    else
        head='' tail=${COMP_WORDS[COMP_CWORD]}
        _supervise_file
    fi
}

_supervise() {
    local line=${COMP_LINE:0:COMP_POINT} head='' tail='' cur i n=-1
    local -a words=() starts=()
    COMPREPLY=()
    # bash breaks words at = and : too. What no blank separates is one word of ours.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if ((i == 0)) || [[ $line == [[:blank:]]* ]]; then
            line=${line#"${line%%[![:blank:]]*}"}
            n=$((n + 1)) words[n]='' starts[n]=$i
        fi
        if ((i < COMP_CWORD)); then words[n]+=${COMP_WORDS[i]}; else words[n]+=$line; fi
        line=${line#"${COMP_WORDS[i]}"}
    done
    cur=${words[n]} tail=$cur

    # Where the command begins. In front of it a subcommand has targets; what is plain runs no command.
    local begun='' place=options options='@options@'
    i=1
    if ((n > 1)); then
        case ${words[1]} in
@running-cases@
@subcommand-cases@
        esac
    fi
    for (( ; i < n; i++)); do
        case ${words[i]} in
            --) i=$((i + 1)) begun=yes && break ;;
            @valued@) i=$((i + 1)) ;;
            -*) ;;
            *) if [[ $place == options ]]; then begun=yes && break; fi ;;
        esac
    done
    if [[ $begun ]]; then
        _supervise_command "${starts[i]}"
        return
    elif ((i > n)); then
        _supervise_value "${words[n - 1]}" "$cur"
    elif [[ $cur == --*=* ]]; then
        head=${cur%%=*}=
        _supervise_value "${cur%%=*}" "${cur#*=}"
    elif [[ $place == plain && "${words[1]} ${words[n - 1]}" == 'ctl signal' && $cur != -* ]]; then
        _supervise_signal
    elif [[ $cur == -* || $place == plain ]]; then
        _supervise_offer -W "$options"
    elif [[ $place == target ]]; then
        "_supervise_target_${words[1]//-/_}"
    else
        _supervise_command "${starts[n]}"
        head='' tail=$cur
        if ((n == 1)); then _supervise_offer -W '@subcommands@'; fi
        return
    fi

    # What bash takes for words of their own must not be repeated.
    local breaks=${COMP_WORDBREAKS//[^=:]/}
    if [[ $breaks ]]; then
        head=${cur%"${cur##*[$breaks]}"}
        COMPREPLY=("${COMPREPLY[@]#"$head"}")
    fi
}

complete -F _supervise supervise
