"""`ingot wait`: until machines are ready, or until they have stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.state.folders import MachineFolder


@click.command()
@click.argument("names", metavar="MACHINE...", nargs=-1, shell_complete=complete_machine)
@click.option("--all", "-a", "every", is_flag=True, help="Wait for every running machine.")
@click.option(
    "--until",
    type=click.Choice(["ready", "stopped"]),
    default="ready",
    show_default=True,
    help="What to wait for.",
)
@click.option(
    "--timeout",
    "-t",
    metavar="DURATION",
    help="How long to wait.  [default: 5m for ready, for ever for stopped]",
)
@output_options
def wait(
    printer: Printer, *, names: tuple[str, ...], every: bool, until: str, timeout: str | None
) -> None:
    """Wait until the services of machines are ready, or until machines have stopped.

    \b
    Examples:
      ingot wait store
      ingot wait --until stopped --timeout 10m store web
    """
    from ingot.base.units import parse_duration
    from ingot.cli._several import Tally, chosen
    from ingot.cli._started import await_ready
    from ingot.vm.lifecycle.waiting import READY_TIMEOUT_S

    began_s = time.monotonic()
    timeout_s = None if timeout is None else parse_duration(timeout)
    folders = chosen(names, every=every, running=True)
    tally = Tally(printer, len(folders))
    for folder in folders:
        with tally.one():
            if until == "stopped":
                _await_end(printer, folder, began_s, timeout_s)
            else:
                limit_s = READY_TIMEOUT_S if timeout_s is None else timeout_s
                left_s = max(0.0, limit_s - (time.monotonic() - began_s))
                await_ready(printer, folder, folder.running(), left_s)
    tally.conclude(until)


def _await_end(
    printer: Printer, folder: MachineFolder, began_s: float, timeout_s: float | None
) -> None:
    from ingot.base.errors import Error
    from ingot.base.units import format_duration
    from ingot.vm.lifecycle.waiting import wait_stopped

    folder.read_spec()
    process = folder.process()
    left_s = None if timeout_s is None else max(0.0, timeout_s - (time.monotonic() - began_s))
    if process is not None and not wait_stopped(process, left_s):
        raise Error(
            f"machine {folder.name!r} still runs after {format_duration(timeout_s or 0)}",
            hint=f"stop it: ingot stop {folder.name}",
        )
    document = {"type": "machine", "name": folder.name, "state": "stopped"}
    printer.data(document, f"{folder.name} is stopped")
