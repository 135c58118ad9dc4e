"""A machine in the foreground: its console on the terminal, Ctrl-] and signals become a stop."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingot.base.errors import Error
from ingot.cli._machines import runner_of
from ingot.cli.logs import LogOutput
from ingot.cli.printer import Printer
from ingot.vm.guest.console import LogFollower, Terminal, attached, raw_terminal
from ingot.vm.guest.status import read_status
from ingot.vm.lifecycle.stopping import STOP_TIMEOUT_S, PowerDown
from ingot.vm.lifecycle.waiting import last_words
from ingot.vm.state.processes import wait_for_end

if TYPE_CHECKING:
    from ingot.vm.lifecycle.starting import Started

_POLL_S = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Wishes:
    """How often the user asked for the machine's end; within the context, signals do."""

    def __init__(self) -> None:
        self.count = 0

    def ask(self) -> None:
        """Ask once more; the second time is for a machine that does not listen."""
        self.count += 1

    @contextlib.contextmanager
    def from_signals(self) -> Iterator[None]:
        """Turn the signals that would end this process into wishes."""

        def handler(signum: int, frame: object) -> None:
            self.ask()

        before = {number: signal.signal(number, handler) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, earlier in before.items():
                signal.signal(number, earlier)


def attend(printer: Printer, started: Started, wishes: Wishes) -> None:
    """Stay with the machine until it ends.

    Raises:
        Error: it failed to boot, ended without being asked to, or had to be killed.
    """
    keeper = _Keeper(printer, started, wishes)
    takes_keys = runner_of(started.folder).has_channels
    if takes_keys and sys.stdin.isatty() and not printer.as_json:
        _on_terminal(printer, started, keeper)
    else:
        _on_stream(printer, started, keeper)
    if started.launched.child is not None:
        started.launched.child.wait()
    keeper.conclude()


class _Keeper:
    """Brings about the end that the user wished for, and tells how it came."""

    def __init__(self, printer: Printer, started: Started, wishes: Wishes) -> None:
        self._printer = printer
        self._started = started
        self.wishes = wishes
        self._down: PowerDown | None = None
        self._killed_by_user = False

    def over(self) -> bool:
        """Do what was asked for, and tell whether the machine has ended."""
        started = self._started
        if wait_for_end(started.process, 0):
            return True
        if self.wishes.count and self._down is None:
            self._printer.note(f"\nstopping {started.machine.name}; once more pulls the plug")
            self._down = PowerDown(
                started.folder, started.process, runner_of(started.folder), STOP_TIMEOUT_S
            )
        if self._down is not None:
            if self.wishes.count > 1 and not self._killed_by_user:
                self._killed_by_user = True
                self._down.pull_the_plug()
            elif not self._down.killed:
                self._down.step()
        return False

    def conclude(self) -> None:
        """Say how it ended."""
        name = self._started.machine.name
        status = read_status(self._started.folder.status_path)
        if status.state == "failed":
            raise Error(
                f"machine {name!r}: the boot failed: {status.reason}",
                hint=f"see 'ingot logs {name}'",
            )
        if self._down is not None and self._down.killed:
            raise Error(f"machine {name!r} was killed before its guest had powered off")
        # `running` is a guest without a status port: how it ended cannot be known.
        if status.state not in {"stopping", "running"} and self._down is None:
            words = "" if sys.stdin.isatty() else last_words(self._started.folder)
            raise Error(f"machine {name!r} ended without being stopped{words}")
        self._printer.note(f"machine {name} powered off")


def _on_terminal(printer: Printer, started: Started, keeper: _Keeper) -> None:
    printer.note("the terminal is its console; Ctrl-] stops the machine")
    with attached(started.folder) as connection, raw_terminal(0):
        terminal = Terminal(connection, 0, 1, started.folder.console_log, 0)
        try:
            while not keeper.over():
                if terminal.step():
                    keeper.wishes.ask()
        finally:
            terminal.close()


def _on_stream(printer: Printer, started: Started, keeper: _Keeper) -> None:
    output = LogOutput(printer)
    follower = LogFollower(started.folder.console_log)
    try:
        while not keeper.over():
            while data := follower.read():
                output.write(data)
            wait_for_end(started.process, _POLL_S)
        while data := follower.read():
            output.write(data)
        output.close()
    except BrokenPipeError:
        # Nobody reads any more, as in `ingot run store | head`: the machine must not be left over.
        keeper.wishes.ask()
        while not keeper.over():
            wait_for_end(started.process, _POLL_S)
    finally:
        follower.close()
