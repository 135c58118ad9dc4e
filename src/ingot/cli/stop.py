"""`ingot stop`: the power button, and the plug when the guest takes too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.state import MachineFolder


@click.command()
@click.argument("names", metavar="MACHINE...", nargs=-1)
@click.option("--all", "-a", "stop_all", is_flag=True, help="Stop every running machine.")
@click.option(
    "--timeout", "-t", metavar="DURATION", help="Time the guest has to stop.  [default: 60s]"
)
@click.option("--kill", is_flag=True, help="Pull the plug at once; unwritten data is lost.")
@output_options
def stop(
    printer: Printer, *, names: tuple[str, ...], stop_all: bool, timeout: str | None, kill: bool
) -> None:
    """Stop machines through their guest.

    The guest stops its services, unmounts its disks and powers off. A machine that still runs
    after the timeout is killed, which is reported as an error. A machine that is stopped already
    is no error.

    \b
    Examples:
      ingot stop store
      ingot stop --timeout 2m store
      ingot stop --all
    """
    from ingot.base.errors import Error, PartialError, UsageError
    from ingot.base.units import parse_duration
    from ingot.cli._machines import machines
    from ingot.vm.lifecycle import STOP_TIMEOUT_S

    if bool(names) == stop_all:
        raise UsageError("which machine?", hint="give names, or --all; 'ingot ps' lists them")
    timeout_s = parse_duration(timeout) if timeout else STOP_TIMEOUT_S
    if stop_all:
        folders = [folder for folder in machines().folders() if folder.process()]
    else:
        folders = [machines().folder(name) for name in names]
    failures: list[Error] = []
    for folder in folders:
        try:
            _stop_one(printer, folder, timeout_s=timeout_s, kill=kill)
        except Error as error:
            failures.append(error)
    if len(folders) == 1 and failures:
        raise failures[0]
    for failure in failures:
        printer.failure(failure)
    if failures:
        raise PartialError(f"{len(failures)} of {len(folders)} machines were not stopped cleanly")


def _stop_one(printer: Printer, folder: MachineFolder, *, timeout_s: float, kill: bool) -> None:
    from ingot.base.errors import Error
    from ingot.base.units import format_duration
    from ingot.cli._machines import runner
    from ingot.vm.lifecycle import stop as stop_machine

    folder.read_spec()
    process = folder.process()
    if process is None:
        document = {"type": "stop", "name": folder.name, "how": "was-stopped"}
        printer.data(document, f"{folder.name} was stopped already")
        return
    how = stop_machine(folder, process, runner(), 0 if kill else timeout_s)
    if how == "killed" and not kill:
        raise Error(
            f"machine {folder.name!r} did not power off within {format_duration(timeout_s)}"
            " and was killed",
            hint=f"'ingot logs {folder.name}' shows what it was doing; --timeout gives it longer",
        )
    printer.data({"type": "stop", "name": folder.name, "how": how}, f"{folder.name} {how}")
