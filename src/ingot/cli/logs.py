"""`ingot logs`: a machine's console log, once or as it grows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.vm.state.folders import MachineFolder


@click.command()
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@click.option("--follow", "-f", is_flag=True, help="Go on until the machine ends.")
@click.option(
    "--lines", "-n", type=click.IntRange(min=0), metavar="N", help="Begin with the last N lines."
)
@click.option("--previous", is_flag=True, help="The log of the run before this one.")
@output_options
def logs(printer: Printer, *, name: str, follow: bool, lines: int | None, previous: bool) -> None:
    """Print a machine's console log: its kernel, its boot, and what its services said.

    \b
    Examples:
      ingot logs store
      ingot logs --follow --lines 20 store
      ingot logs --previous store
    """
    from ingot.base.errors import NotFoundError
    from ingot.cli._machines import machines

    folder = machines().folder(name)
    folder.read_spec()
    path = folder.previous_console_log if previous else folder.console_log
    if not path.is_file():
        raise NotFoundError(f"machine {name!r} has no such log: {path}")
    output = LogOutput(printer)
    offset = _offset(path, lines)
    if follow and not previous:
        _follow(folder, path, offset, output)
    else:
        with path.open("rb") as file:
            file.seek(offset)
            while data := file.read(1 << 16):
                output.write(data)
    output.close()


class LogOutput:
    """Console bytes on stdout: with plain line ends, or as JSON lines."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._pending = b""

    def write(self, data: bytes) -> None:
        """Take more of the log."""
        data = self._pending + data
        if self._printer.as_json:
            *complete, self._pending = data.split(b"\n")
            for line in complete:
                self._line(line)
            return
        # A serial line ends in CR LF; the two may come in two pieces.
        keep = len(data) - 1 if data.endswith(b"\r") else len(data)
        self._pending = data[keep:]
        self._put(data[:keep].replace(b"\r\n", b"\n"))

    def close(self) -> None:
        """Put out what has no end of line."""
        if self._pending and self._printer.as_json:
            self._line(self._pending)
        else:
            self._put(self._pending)
        self._pending = b""

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self._printer.data({"type": "console", "line": text}, None)

    def _put(self, data: bytes) -> None:
        from ingot.vm.guest.console import write_all

        write_all(1, data)


def _offset(path: Path, lines: int | None) -> int:
    from ingot.vm.guest.console import tail

    if lines is None:
        return 0
    return os.stat(path).st_size - len(tail(path, lines))


def _follow(folder: MachineFolder, path: Path, offset: int, output: LogOutput) -> None:
    import time

    from ingot.vm.guest.console import follow as follow_log
    from ingot.vm.state.processes import wait_for_end

    process = folder.process()

    def ended() -> bool:
        return process is None or wait_for_end(process, 0)

    for data in follow_log(path, offset=offset, ended=ended, wait=time.sleep):
        output.write(data)
