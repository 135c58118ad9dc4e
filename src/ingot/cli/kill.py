"""`ingot kill`: the plug of machines pulled at once."""

from __future__ import annotations

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("names", metavar="MACHINE...", nargs=-1, shell_complete=complete_machine)
@click.option("--all", "-a", "every", is_flag=True, help="Kill every running machine.")
@output_options
def kill(printer: Printer, *, names: tuple[str, ...], every: bool) -> None:
    """End machines at once, as a power cut would; what the guest has not written is lost.

    A machine that is stopped already is no error.

    \b
    Examples:
      ingot kill store
      ingot kill --all
    """
    from ingot.cli.stop import stop_machines

    stop_machines(printer, names, every=every, timeout_s=None)
