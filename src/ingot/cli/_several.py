"""What commands on several machines share: which are meant, and the report of those that failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ingot.base.errors import Error, PartialError, UsageError
from ingot.cli._machines import machines
from ingot.cli.printer import Printer
from ingot.vm.state.folders import MachineFolder


def chosen(names: tuple[str, ...], *, every: bool, running: bool) -> list[MachineFolder]:
    """Return the machines that are meant, each once.

    Args:
        names: as given.
        every: whether `--all` was given in place of names.
        running: whether `--all` means those that run, or those that are stopped.

    Raises:
        UsageError: neither names nor `--all`, both of them, or a name cannot name a machine.
    """
    if bool(names) == every:
        raise UsageError("which machine?", hint="give names, or --all; 'ingot ps --all' lists them")
    if every:
        return [folder for folder in machines().folders() if bool(folder.process()) == running]
    return [machines().folder(name) for name in dict.fromkeys(names)]


class Tally:
    """Keeps what failed, so that one machine does not keep the others from their turn.

    Args:
        printer: where several failures are reported.
        count: how many machines are meant; the failure of a single one is raised as it is.
    """

    def __init__(self, printer: Printer, count: int) -> None:
        self._printer = printer
        self._count = count
        self._failures: list[Error] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Work on one machine."""
        try:
            yield
        except Error as error:
            self._failures.append(error)

    def fail(self, error: Error) -> None:
        """Count a machine as failed."""
        self._failures.append(error)

    def conclude(self, what: str) -> None:
        """Report what failed; `what` completes "2 of 3 machines were not …".

        Raises:
            PartialError: some of several machines failed.
            Error: the single machine did.
        """
        if self._count == 1 and self._failures:
            raise self._failures[0]
        for failure in self._failures:
            self._printer.failure(failure)
        if self._failures:
            raise PartialError(f"{len(self._failures)} of {self._count} machines were not {what}")
