"""How long work tells whoever watches what it is doing, without knowing about terminals."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Task(Protocol):
    """One piece of work in progress; a context manager that closes its line."""

    def advance(self, amount: int = 1) -> None:
        """Report that `amount` more units are done."""
        ...

    def total(self, amount: int) -> None:
        """Correct the expected total."""
        ...

    def fail(self, amount: int = 1) -> None:
        """Report that `amount` of the units that are done failed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Progress(Protocol):
    """A watcher of long work. The CLI draws bars; libraries and tests use `SILENT`."""

    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        """Begin a piece of work of `total` units (`unit` is "bytes" or a plural noun)."""
        ...

    def note(self, text: str) -> None:
        """Say one line about what just happened."""
        ...


class _SilentTask:
    def advance(self, amount: int = 1) -> None:
        pass

    def total(self, amount: int) -> None:
        pass

    def fail(self, amount: int = 1) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


class _SilentProgress:
    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        return _SilentTask()

    def note(self, text: str) -> None:
        pass


SILENT: Progress = _SilentProgress()
