"""`ingot exec`: a command inside a machine's service, or in its operating system."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.guest.services import Guest

_AGENT_TIMEOUT_S = 30.0


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@click.argument("words", metavar="SERVICE COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--host", is_flag=True, help="Run it in the guest's operating system, outside every service."
)
@click.option("--tty", "-t", is_flag=True, help="Run it on a terminal, which is this one.")
@click.option("--interactive", "-i", is_flag=True, help="Pass on what is typed, line by line.")
@click.option("--no-stdin", "-n", is_flag=True, help="Do not pass on what is piped in.")
@output_options
def exec_(printer: Printer, *, name: str, words: tuple[str, ...], host: bool, **how: bool) -> int:
    """Run a command inside a running machine's service, and end with its exit code.

    Output appears as the command writes it. Standard input is passed on if it is a pipe or a
    file. With --tty the command has a terminal of its own and every key goes to it, except Ctrl-],
    which ends it. With --host there is no SERVICE: the command runs as root in the guest's
    operating system. Options of this command stand before MACHINE; whatever follows belongs to
    COMMAND.

    \b
    Examples:
      ingot exec store store ingot server keys
      ingot exec -it web web sh
      tar -c site | ingot exec web web tar -x -C /data
      ingot exec --host store crun list
    """
    from ingot.base.errors import UsageError
    from ingot.cli._machines import machines, require_channels, runner_of
    from ingot.vm.guest.services import Guest

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
    # Elsewhere the hypervisor is not ours to plug ports into.
    streams = runner_of(folder).name == "qemu" and not printer.as_json
    service, command = (None, words) if host else (words[0], words[1:])
    if how["tty"]:
        _check_terminal(streams=streams)
        return guest.on_terminal(command, service=service, term=os.environ.get("TERM", ""))
    if streams:
        return guest.stream(command, service=service, stdin=_input(how))
    stdin = b"" if how["no_stdin"] else _piped_input()
    return _run(printer, guest, words, host=host, stdin=stdin)


def _check_terminal(*, streams: bool) -> None:
    from ingot.base.errors import UsageError

    if not streams:
        raise UsageError("--tty needs a machine on qemu, and no --json")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "standard input and output are no terminal", hint="leave --tty away in scripts"
        )


def _input(how: dict[str, bool]) -> int | None:
    """Return the descriptor that the command reads, if any."""
    if how["no_stdin"]:
        return None
    return 0 if how["interactive"] or _is_piped() else None


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
        from ingot.vm.guest.console import write_all

        write_all(1, outcome.stdout)
        write_all(2, outcome.stderr)
    if outcome.truncated:
        printer.warning("the output was longer than the guest agent keeps; its end is missing")
    return outcome.exit_code


def _piped_input() -> bytes:
    from ingot.vm.guest.agent import INPUT_BYTES_MAX

    return sys.stdin.buffer.read(INPUT_BYTES_MAX + 1) if _is_piped() else b""


def _is_piped() -> bool:
    # A terminal, /dev/null or a socket has nothing for the command.
    mode = os.fstat(0).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
