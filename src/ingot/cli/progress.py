"""Progress on stderr: bars on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TextIO

from ingot.base.progress import Progress, Task
from ingot.base.units import format_size

_PLAIN_PERIOD_S = 10.0


def progress_for(stream: TextIO) -> contextlib.AbstractContextManager[Progress]:
    """Return the progress that suits `stream`."""
    return _bars(stream) if stream.isatty() else contextlib.nullcontext(_PlainProgress(stream))


@contextlib.contextmanager
def _bars(stream: TextIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    console = Console(file=stream)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
    )
    # While bars are drawn rich sends stdout to their stream; a pipe must still get its data.
    with RichProgress(
        *columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()
    ) as rich:
        yield _RichProgress(rich)


class _RichProgress:
    def __init__(self, rich: object) -> None:
        self._rich = rich

    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        return _RichTask(self._rich, label, total, unit)

    def note(self, text: str) -> None:
        self._rich.console.print(text, markup=False, highlight=False)  # type: ignore[attr-defined] # rich is imported lazily


class _RichTask:
    def __init__(self, rich: object, label: str, total: int | None, unit: str) -> None:
        self._rich = rich
        self._unit = unit
        self._done = 0
        self._id = rich.add_task(label, total=total, done="")  # type: ignore[attr-defined] # as above

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        text = format_size(self._done) if self._unit == "bytes" else f"{self._done} {self._unit}"
        self._rich.update(self._id, advance=amount, done=text)  # type: ignore[attr-defined] # as above

    def total(self, amount: int) -> None:
        self._rich.update(self._id, total=amount)  # type: ignore[attr-defined] # as above

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rich.remove_task(self._id)  # type: ignore[attr-defined] # as above


class _PlainProgress:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        return _PlainTask(self, label, total, unit)

    def note(self, text: str) -> None:
        with self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()


class _PlainTask:
    def __init__(self, progress: _PlainProgress, label: str, total: int | None, unit: str) -> None:
        self._progress = progress
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._said_s = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        if time.monotonic() - self._said_s >= _PLAIN_PERIOD_S:
            self._said_s = time.monotonic()
            self._progress.note(f"{self._label}: {self._amount()}")

    def total(self, amount: int) -> None:
        self._total = amount

    def _amount(self) -> str:
        if self._unit == "bytes":
            done = format_size(self._done)
            return f"{done} of {format_size(self._total)}" if self._total else done
        of = f" of {self._total}" if self._total else ""
        return f"{self._done}{of} {self._unit}".rstrip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass
