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
from ingot.cli._gauge import Gauge
from ingot.cli.printer import visible

_PLAIN_PERIOD_S = 10.0


def progress_for(stream: TextIO) -> contextlib.AbstractContextManager[Progress]:
    """Return the progress that suits `stream`."""
    return _bars(stream) if stream.isatty() else contextlib.nullcontext(_PlainProgress(stream))


@contextlib.contextmanager
def _bars(stream: TextIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as RichProgress

    console = Console(file=stream)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[amount]}", markup=False),
        TextColumn("{task.fields[pace]}", markup=False),
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
        # Several threads move bytes of one task.
        self._lock = threading.Lock()
        self._gauge = Gauge(unit, total, time.monotonic())
        self._id = rich.add_task(visible(label), total=total, amount="", pace="")  # type: ignore[attr-defined] # as above

    def advance(self, amount: int = 1) -> None:
        with self._lock:
            self._gauge.advance(amount, time.monotonic())
        self._draw()

    def total(self, amount: int) -> None:
        self._gauge.total = amount
        self._draw()

    def fail(self, amount: int = 1) -> None:
        self._gauge.failed += amount
        self._draw()

    def _draw(self) -> None:
        gauge = self._gauge
        with self._lock:
            amount, pace = gauge.amount(), gauge.pace(time.monotonic())
        self._rich.update(  # type: ignore[attr-defined] # as above
            self._id, completed=gauge.done, total=gauge.total, amount=amount, pace=pace
        )

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
        self._said_s = time.monotonic()
        self._lock = threading.Lock()
        self._gauge = Gauge(unit, total, self._said_s)

    def advance(self, amount: int = 1) -> None:
        now_s = time.monotonic()
        with self._lock:
            gauge = self._gauge
            gauge.advance(amount, now_s)
            if now_s - self._said_s < _PLAIN_PERIOD_S:
                return
            self._said_s = now_s
            text = f"{visible(self._label)}: {gauge.amount()}, {gauge.pace(now_s)}"
        self._progress.note(text)

    def total(self, amount: int) -> None:
        self._gauge.total = amount

    def fail(self, amount: int = 1) -> None:
        self._gauge.failed += amount

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass
