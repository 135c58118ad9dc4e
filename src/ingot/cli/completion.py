"""`ingot completion`: what a shell needs to complete verbs, options and addresses."""

from __future__ import annotations

import click

from ingot.cli.printer import Printer, output_options

# By shell; a wheel installs them where the shells look, see tools/hatch_build.py.
SCRIPTS = {"bash": "ingot.bash", "zsh": "_ingot", "fish": "ingot.fish"}


@click.command()
@click.argument("shell", type=click.Choice([*SCRIPTS]))
@output_options
def completion(printer: Printer, *, shell: str) -> None:
    """Print the script that makes a shell complete ingot's command lines.

    It completes verbs, options and their values, aliases, buckets, keys, machines and local paths.
    Buckets and keys cost a request to the service, which is given up soon.

    For bash, in ~/.bashrc; for zsh, in ~/.zshrc after compinit; for fish, once:

    \b
    Examples:
      source <(ingot completion bash)
      source <(ingot completion zsh)
      ingot completion fish > ~/.config/fish/completions/ingot.fish

    A folder of zsh's fpath will do, too: ingot completion zsh > "${fpath[1]}/_ingot". What is
    installed for the whole machine brings the scripts along.
    """
    from importlib.resources import files

    script = files("ingot.cli").joinpath("completions", SCRIPTS[shell]).read_text(encoding="utf-8")
    printer.data({"shell": shell, "script": script}, script.rstrip("\n"))
