"""`ingot start`: stopped machines run again as they were run before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._started import WaitCommand
from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.state.folders import MachineFolder
    from ingot.vm.state.processes import Process


@click.command(cls=WaitCommand)
@click.argument("names", metavar="MACHINE...", nargs=-1, shell_complete=complete_machine)
@click.option("--all", "-a", "every", is_flag=True, help="Start every stopped machine.")
@click.option("--wait", is_flag=True, help="Return when the services of all are ready.")
@click.option("--wait-timeout", metavar="DURATION", help="As --wait, for so long.  [default: 5m]")
@output_options
def start(
    printer: Printer, *, names: tuple[str, ...], every: bool, wait: bool, wait_timeout: str | None
) -> None:
    """Start stopped machines in the background, with the flags they were run with before.

    A machine that runs already is no error. To change a flag, use 'ingot run'.

    \b
    Examples:
      ingot start store
      ingot start --wait=2m store web
      ingot start --all
    """
    import time

    from ingot.cli._machines import require_channels
    from ingot.cli._several import Tally, chosen
    from ingot.cli._started import await_ready, report, wait_timeout_s

    timeout_s = wait_timeout_s(wait=wait, wait_timeout=wait_timeout)
    folders = chosen(names, every=every, running=False)
    tally = Tally(printer, len(folders))
    running: list[tuple[MachineFolder, Process]] = []
    for folder in folders:
        with tally.one():
            if timeout_s is not None:
                require_channels(folder, "waiting until services are ready")
            process = _start(printer, folder)
            running.append((folder, process))
            if timeout_s is None:
                report(printer, folder, process, "running")
    if timeout_s is not None:
        deadline_s = time.monotonic() + timeout_s
        for folder, process in running:
            with tally.one():
                await_ready(printer, folder, process, max(0.0, deadline_s - time.monotonic()))
    tally.conclude("started" if timeout_s is None else "started and ready")


def _start(printer: Printer, folder: MachineFolder) -> Process:
    from ingot.cli._machines import starter
    from ingot.cli._started import introduce
    from ingot.vm.request import Request

    folder.read_spec()
    process = folder.process()
    if process is not None:
        printer.note(f"machine {folder.name} is running already")
        return process
    started = starter().start(Request(name=folder.name))
    introduce(printer, started)
    return started.process
