# Completion of `ingot` for bash 4.4 or newer; `ingot completion bash` prints it.
# What may stand there is asked of `ingot` itself, see cli/_answer.py of its sources.

_ingot() {
    local program=${1/#\~\//$HOME/} separator=$'\x1f' kind value more paths= last=
    # An alias of the shell names no program.
    type -P -- "$program" >/dev/null || program=ingot
    COMPREPLY=()
    while IFS=$separator read -r kind value more; do
        case $kind in
            word | address) COMPREPLY+=("$value") last=$kind:$value ;;
            file | dir) paths=$kind; break ;;
        esac
    done < <(_INGOT_COMPLETE=bash "$program" "${COMP_LINE:0:COMP_POINT}" "$2" "$COMP_TYPE" \
        </dev/null 2>/dev/null)
    if [[ $paths && ${#COMPREPLY[@]} == 0 ]]; then
        # Bash's own way with paths knows tildes and links to folders.
        if [[ $paths == dir ]]; then compopt -o dirnames; else compopt -o default; fi
    elif [[ $paths ]]; then
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "-${paths::1}" -- "$value")
        compopt -o filenames
    fi
    [[ ${#COMPREPLY[@]} == 1 && (${COMPREPLY[0]} == */ || $last == word:*=) ]] && compopt -o nospace
    return 0
}

complete -o nosort -F _ingot ingot
