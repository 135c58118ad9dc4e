# Completion of `ingot` for fish 3.1 or newer; `ingot completion fish` prints it.
# What may stand there is asked of `ingot` itself, see cli/_answer.py of its sources.

function __ingot_typed
    # A word whose quotes are still open is not unescaped as it is.
    set -l word (commandline -ct)
    string unescape -- $word
    or string unescape -- "$word'"
    or string unescape -- $word\"
    or echo -- $word
end

function __ingot_complete
    set -l before (commandline -opc)
    set -l typed (__ingot_typed)
    set -l program $before[1]
    command -q -- $program
    or set program ingot
    for line in (env _INGOT_COMPLETE=fish $program $before[2..] "$typed" </dev/null 2>/dev/null)
        set -l fields (string split -- \x1f $line)
        switch $fields[1]
            case word address
                printf '%s\t%s\n' $fields[2] $fields[3]
            case file dir
                # A command that nothing is known of is completed with paths.
                set -l paths (complete -C "ingot-has-no-such-command "(commandline -ct))
                test $fields[1] = dir
                and set paths (string match -- '*/' $paths)
                printf '%s\n' $paths
        end
    end
end

complete -c ingot -f -k -a '(__ingot_complete)'
