"""`ingot stop`: the power button, and the plug when the guest takes too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.cli._several import Tally
    from ingot.vm.lifecycle.stopping import Ending, PowerDown


@click.command()
@click.argument("names", metavar="MACHINE...", nargs=-1, shell_complete=complete_machine)
@click.option("--all", "-a", "every", is_flag=True, help="Stop every running machine.")
@click.option(
    "--timeout", "-t", metavar="DURATION", help="Time the guest has to stop.  [default: 60s]"
)
@click.option("--kill", is_flag=True, help="Pull the plug at once; unwritten data is lost.")
@output_options
def stop(
    printer: Printer, *, names: tuple[str, ...], every: bool, timeout: str | None, kill: bool
) -> None:
    """Stop machines through their guest, several side by side.

    The guest stops its services, unmounts its disks and powers off. A machine that still runs
    after the timeout is killed, which is reported as an error. A machine that is stopped already
    is no error.

    \b
    Examples:
      ingot stop store
      ingot stop --timeout 2m store web
      ingot stop --all
    """
    from ingot.base.units import parse_duration
    from ingot.vm.lifecycle.stopping import STOP_TIMEOUT_S

    timeout_s = parse_duration(timeout) if timeout else STOP_TIMEOUT_S
    stop_machines(printer, names, every=every, timeout_s=None if kill else timeout_s)


def stop_machines(
    printer: Printer, names: tuple[str, ...], *, every: bool, timeout_s: float | None
) -> None:
    """Stop machines and report each as it ends; `timeout_s` None kills them.

    Raises:
        Error: see `Tally.conclude`.
    """
    from ingot.cli._machines import runner_of
    from ingot.cli._several import Tally, chosen
    from ingot.vm.lifecycle.stopping import PowerDown, stop_all

    folders = chosen(names, every=every, running=True)
    tally = Tally(printer, len(folders))
    downs: list[PowerDown] = []
    for folder in folders:
        with tally.one():
            runner = runner_of(folder)
            process = folder.process()
            if process is None:
                document = {"type": "stop", "name": folder.name, "how": "was-stopped"}
                printer.data(document, f"{folder.name} was stopped already")
            else:
                downs.append(PowerDown(folder, process, runner, timeout_s or 0))
    for down, ending in stop_all(downs):
        _report(printer, tally, down, ending, timeout_s)
    tally.conclude("stopped cleanly")


def _report(
    printer: Printer, tally: Tally, down: PowerDown, ending: Ending, timeout_s: float | None
) -> None:
    from ingot.base.errors import Error
    from ingot.base.units import format_duration

    folder = down.folder
    if ending == "unkillable":
        tally.fail(
            down.refusal
            or Error(
                f"machine {folder.name!r} cannot be killed",
                hint="its process hangs in the host's kernel, as on a disk that does not answer",
            )
        )
    elif ending == "killed" and timeout_s is not None:
        tally.fail(
            Error(
                f"machine {folder.name!r} did not power off within {format_duration(timeout_s)}"
                " and was killed",
                hint=f"'ingot logs {folder.name}' shows what it was doing; --timeout gives it"
                " longer",
            )
        )
    else:
        document = {"type": "stop", "name": folder.name, "how": ending}
        printer.data(document, f"{folder.name} {ending}")
