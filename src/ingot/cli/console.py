"""`ingot console`: a terminal on a machine's serial console."""

from __future__ import annotations

import sys

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

_LINES_BACK = 10


@click.command()
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@output_options
def console(printer: Printer, *, name: str) -> None:
    """Attach to a machine's serial console; Ctrl-] detaches and leaves it running.

    Every other key, Ctrl-C included, goes to the machine. One terminal at a time can be attached;
    'ingot logs --follow' watches without, and 'ingot exec' runs commands from a script.

    \b
    Examples:
      ingot console store
    """
    import contextlib

    from ingot.base.errors import UsageError
    from ingot.cli._machines import machines, require_channels
    from ingot.vm.guest.console import Terminal, attached, raw_terminal, tail
    from ingot.vm.state.processes import wait_for_end

    folder = machines().folder(name)
    require_channels(folder, "a console that takes keys")
    process = folder.running()
    if not sys.stdin.isatty():
        raise UsageError(
            "standard input is no terminal",
            hint=f"use 'ingot logs --follow {name}' to watch, 'ingot exec {name}' to run commands",
        )
    with attached(folder) as connection, contextlib.ExitStack() as stack:
        printer.note(f"attached to {name}; Ctrl-] detaches")
        stack.enter_context(raw_terminal(0))
        # A few lines back, so that a prompt that waits for an answer is seen.
        log = folder.console_log
        offset = log.stat().st_size - len(tail(log, _LINES_BACK))
        terminal = Terminal(connection, 0, 1, log, offset)
        stack.callback(terminal.close)
        while not terminal.step():
            if wait_for_end(process, 0):
                break
