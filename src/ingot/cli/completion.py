"""`ingot completion`: what a shell needs to complete verbs, options and addresses."""

from __future__ import annotations

import click

from ingot.cli.printer import Printer, output_options

# Click's own script for bash would expand `*` in keys, not quote spaces, and end a folder with one.
_BASH = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            plain) COMPREPLY+=("$(printf %%q "$value")") ;;
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
        esac
    done < <(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \\
        %(complete_var)s=bash_complete "$1")
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace
    fi
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@output_options
def completion(printer: Printer, *, shell: str) -> None:
    """Print the script that makes a shell complete ingot's command lines.

    It completes verbs, options, aliases, buckets and keys; these cost one request to the service,
    which is given up after a second.

    \b
    Examples:
      source <(ingot completion bash)
      ingot completion zsh > "${fpath[1]}/_ingot"
      ingot completion fish > ~/.config/fish/completions/ingot.fish
    """
    from click.shell_completion import get_completion_class

    from ingot.cli.main import ingot

    kind = get_completion_class(shell)
    assert kind is not None
    maker = kind(ingot, {}, "ingot", "_INGOT_COMPLETE")
    if shell == "bash":
        maker.source_template = _BASH  # type: ignore[misc] # this one's only
    script = maker.source_template % maker.source_vars()
    printer.data({"shell": shell, "script": script}, script.rstrip("\n"))
