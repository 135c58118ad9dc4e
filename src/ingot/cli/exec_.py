"""`ingot exec`: a command inside a machine's service, or in its operating system."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import click

from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.services import Guest

_AGENT_TIMEOUT_S = 30.0


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("name", metavar="MACHINE")
@click.argument("words", metavar="SERVICE COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--host", is_flag=True, help="Run it in the guest's operating system, outside every service."
)
@click.option("--no-stdin", "-n", is_flag=True, help="Do not pass on what is piped in.")
@output_options
def exec_(
    printer: Printer, *, name: str, words: tuple[str, ...], host: bool, no_stdin: bool
) -> int:
    """Run a command inside a running machine's service, and end with its exit code.

    Standard input is passed on if it is a pipe or a file (8 MiB at most); output appears when the
    command has ended (16 MiB of each stream at most). With --host there is no SERVICE: the
    command runs as root in the guest's operating system. Options of this command stand before
    MACHINE; whatever follows belongs to COMMAND.

    \b
    Examples:
      ingot exec store store ingot server keys
      ingot exec store store cat /proc/mounts
      ingot exec --host store crun list
    """
    from ingot.base.errors import UsageError
    from ingot.cli._machines import machines, require_channels
    from ingot.vm.services import Guest

    if len(words) < (1 if host else 2):
        raise UsageError(
            "COMMAND is missing" if words or host else "SERVICE and COMMAND are missing",
            hint=f"as in: ingot exec {name} store ingot server keys",
        )
    folder = machines().folder(name)
    require_channels(folder, "exec")
    folder.running()
    guest = Guest(folder.path)
    guest.wait(_AGENT_TIMEOUT_S)
    stdin = b"" if no_stdin else _piped_input()
    return _run(printer, guest, words, host=host, stdin=stdin)


def _run(
    printer: Printer, guest: Guest, words: tuple[str, ...], *, host: bool, stdin: bytes
) -> int:
    if host:
        outcome = guest.run(words, stdin=stdin)
    else:
        outcome = guest.run_in_service(words[0], words[1:], stdin=stdin)
    if printer.as_json:
        document = {
            "type": "exec",
            "status": "success" if outcome.exit_code == 0 else "error",
            "exit_code": outcome.exit_code,
            "stdout": outcome.stdout.decode("utf-8", "replace"),
            "stderr": outcome.stderr.decode("utf-8", "replace"),
        }
        printer.data(document, None)
    else:
        from ingot.vm.console import write_all

        write_all(1, outcome.stdout)
        write_all(2, outcome.stderr)
    if outcome.truncated:
        printer.warning("the output was longer than the guest agent keeps; its end is missing")
    return outcome.exit_code


def _piped_input() -> bytes:
    from ingot.vm.agent import INPUT_BYTES_MAX

    mode = os.fstat(0).st_mode
    # A terminal, /dev/null or a socket has nothing for the command.
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        return b""
    return sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
