"""What the object commands share: how events, times and names are shown, how a run ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, TypeVar

import click

from ingot.base.errors import Error
from ingot.base.units import format_duration, format_size
from ingot.cli.printer import Printer, visible
from ingot.client.events import (
    Copied,
    Differs,
    Event,
    Failed,
    Noted,
    Removed,
    Skipped,
    Tally,
    Unchanged,
)

_NS_PER_S = 1_000_000_000
_Target = TypeVar("_Target")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def transfer_options(command: _Command) -> _Command:
    """Give a command the options of everything that copies many things."""
    from ingot.client.crew import ATTEMPTS_DEFAULT
    from ingot.client.pool import WORKERS_DEFAULT, WORKERS_MAX

    for option in (
        click.option(
            "--exclude",
            multiple=True,
            metavar="PATTERN",
            help="Leave out names that match; `*` also crosses `/`. May be repeated.",
        ),
        click.option(
            "--follow-symlinks",
            is_flag=True,
            help="Take what symbolic links lead to; else they are left out with a warning.",
        ),
        click.option(
            "--preserve",
            "-a",
            is_flag=True,
            help="Keep files' times, modes and owners (as metadata).",
        ),
        click.option("--dry-run", is_flag=True, help="Say what would be done, change nothing."),
        click.option(
            "--retry",
            "attempts",
            type=click.IntRange(1, 100),
            default=ATTEMPTS_DEFAULT,
            show_default=True,
            help="How often one item is tried.",
        ),
        click.option(
            "--max-workers",
            "workers",
            type=click.IntRange(1, WORKERS_MAX),
            default=WORKERS_DEFAULT,
            show_default=True,
            help="Transfers at once.",
        ),
    ):
        command = option(command)
    return command


class Reporter:
    """Prints a run's events as they come and keeps their tally.

    Args:
        printer: where to.
        dry_run: nothing was really done.
        alone: the run has one item, whose failure is that of the run; it needs no totals.
    """

    def __init__(self, printer: Printer, *, dry_run: bool = False, alone: bool = False) -> None:
        self._printer = printer
        self._dry_run = dry_run
        self._alone = alone
        self._began_s = time.monotonic()
        self.tally = Tally()

    def show(self, events: Generator[Event]) -> None:
        """Print every event; an interrupt stops what is running before anything is closed."""
        with closing(events):
            for event in events:
                self.tell(event)

    def tell(self, event: Event) -> None:
        """Print one event.

        Raises:
            Error: the only item failed.
        """
        if self._alone and isinstance(event, Failed):
            raise event.error
        self.tally.add(event)
        self._show(event)

    def finish(self, *, summary: bool) -> None:
        """Print the totals, if wanted, and raise what the run as a whole ends with.

        Raises:
            Error: something failed.
        """
        if summary and not self._alone:
            self._summarize()
        if (error := self.tally.verdict("objects")) is not None:
            raise error

    def _show(self, event: Event) -> None:
        if isinstance(event, Unchanged):
            return  # of which there may be millions
        printer, would = self._printer, {"dryRun": True} if self._dry_run else {}
        match event:
            case Copied():
                printer.data(
                    {
                        "type": "copy",
                        "source": event.source,
                        "target": event.target,
                        "size": event.size_bytes,
                        "totalCount": self.tally.copied,
                        "totalSize": self.tally.copied_bytes,
                        **would,
                    },
                    f"{visible(event.source)} -> {visible(event.target)}",
                )
            case Removed():
                printer.data(
                    {
                        "type": "remove",
                        "key": event.target,
                        "target": event.target,
                        "size": event.size_bytes,
                        **({"versionID": event.version_id} if event.version_id else {}),
                        **would,
                    },
                    f"{'would remove' if self._dry_run else 'removed'} {visible(event.target)}"
                    + (f" ({event.version_id})" if event.version_id else ""),
                )
            case Differs():
                sign = "!" if event.first and event.second else "<" if event.first else ">"
                printer.data(
                    {"first": event.first, "second": event.second, "diff": event.how},
                    f"{sign} {visible(event.first or event.second)}",
                )
            case Skipped():
                printer.warning(f"{visible(event.source)} {event.reason}; left out")
            case Failed():
                printer.failure(event.error)
            case Noted():
                printer.note(event.text)

    def _summarize(self) -> None:
        tally = self.tally
        duration_s = max(time.monotonic() - self._began_s, 1e-9)
        if self._printer.as_json:
            self._printer.data(
                {
                    "type": "summary",
                    "total": tally.copied_bytes,
                    "transferred": 0 if self._dry_run else tally.copied_bytes,
                    "duration": int(duration_s * _NS_PER_S),
                    "speed": tally.copied_bytes / duration_s,
                    "copied": tally.copied,
                    "removed": tally.removed,
                    "unchanged": tally.unchanged,
                    "skipped": tally.skipped,
                    "failed": tally.failed,
                },
                None,
            )
        words = [f"copied {tally.copied} ({format_size(tally.copied_bytes)})"]
        words += [
            f"{word} {count}"
            for word, count in (
                ("removed", tally.removed),
                ("unchanged", tally.unchanged),
                ("left out", tally.skipped),
                ("failed", tally.failed),
            )
            if count
        ]
        prefix = "would have " if self._dry_run else ""
        self._printer.note(f"{prefix}{', '.join(words)} in {format_duration(duration_s)}")


def each(
    printer: Printer,
    targets: Iterable[_Target],
    act: Callable[[_Target], None],
    *,
    label: Callable[[_Target], str] = str,
) -> None:
    """Do something for each target; failures of many are reported one by one.

    Args:
        printer: where to.
        targets: what; not more of them are taken than are worked on.
        act: does it.
        label: what people call a target.

    Raises:
        Error: the only target failed, or at the end, some of many did.
    """
    waiting = iter(targets)
    first = list(islice(waiting, 2))
    if len(first) == 1:
        act(first[0])
        return
    tally = Tally()
    for target in chain(first, waiting):
        try:
            act(target)
        except Error as error:
            printer.failure(error)
            tally.add(Failed(label(target), error))
        else:
            tally.add(Unchanged(label(target), 0))
    if (verdict := tally.verdict("targets")) is not None:
        raise verdict


def iso_time(time_ns: int) -> str:
    """Return a time as JSON documents carry it."""
    return _moment(time_ns).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_time(time_ns: int) -> str:
    """Return a time for people, in their time zone."""
    return _moment(time_ns).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / _NS_PER_S, UTC)
