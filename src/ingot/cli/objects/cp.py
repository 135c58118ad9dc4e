"""`ingot cp`: copy files and objects."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import click

from ingot.cli._completion import complete_address
from ingot.cli._objects import Reporter, transfer_options
from ingot.cli._wire import zip_option
from ingot.cli._writing import writing_options
from ingot.cli.objects._given import given_options
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.client.addresses import Address
    from ingot.client.ages import Age
    from ingot.client.connections import Connections
    from ingot.client.execute import Conduct
    from ingot.client.given import Given
    from ingot.client.versions import Choice


@click.command()
@click.argument("sources", nargs=-1, required=True, shell_complete=complete_address)
@click.argument("target", shell_complete=complete_address)
@click.option("--recursive", "-r", is_flag=True, help="Copy folders.")
@click.option("--version-id", "--vid", metavar="ID", help="This version of one object.")
@click.option("--rewind", metavar="MOMENT", help="What was there then: 7d (ago), 2026-11-24.")
@click.option("--older-than", metavar="DURATION", help="Only what was written longer ago.")
@click.option("--newer-than", metavar="DURATION", help="Only what was written since then.")
@given_options
@writing_options
@transfer_options
@zip_option
@output_options
def cp(
    printer: Printer,
    *,
    sources: tuple[str, ...],
    target: str,
    recursive: bool,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    preserve: bool,
    dry_run: bool,
    attempts: int,
    workers: int,
    **said: str | None,
) -> None:
    """Copy files and objects, replacing what is there.

    Within one alias objects are copied by the server. `-` is standard input or output.
    As with rsync, FOLDER/ means what is in the folder, FOLDER the folder itself.

    \b
    Examples:
      ingot cp cat.jpg store/photos/
      ingot cp --recursive ./photos/ store/photos/2026
      ingot cp --recursive store/photos ./copy
      ingot cp store/photos/cat.jpg backup/photos/cat.jpg
      ingot cp --recursive --newer-than 1d --storage-class STANDARD_IA ./logs/ store/logs
      ingot cp --recursive --rewind 7d store/photos/2026/ store/photos/restored
      pg_dump db | ingot cp - store/backup/db.sql
    """
    from ingot.cli.objects._copies import any_stream, parse_sides
    from ingot.client.connections import Connections
    from ingot.client.execute import Conduct

    parsed, goal = parse_sides(sources, target)
    wish = _understood(parsed, goal, recursive=recursive, **said)
    conduct = Conduct(overwrite=True, dry_run=dry_run, attempts=attempts, workers=workers)
    with Connections() as connections:
        if any_stream([*parsed, goal]):
            reporter = Reporter(printer, dry_run=dry_run, alone=True)
            _copy_stream(reporter, connections, parsed, goal, wish.given, dry_run=dry_run)
        else:
            _copy(
                printer,
                connections,
                conduct,
                wish,
                sources=parsed,
                target=goal,
                exclude=exclude,
                follow_symlinks=follow_symlinks,
                preserve=preserve,
            )


class _Wish(NamedTuple):
    """What is copied of the sources, and what the copies get."""

    choice: Choice
    age: Age
    given: Given

    @property
    def is_past(self) -> bool:
        """Whether versions are meant in place of what is there now."""
        return self.choice.version_id is not None or self.choice.wants_history


def _understood(
    sources: Sequence[Address],
    target: Address,
    *,
    recursive: bool,
    version_id: str | None,
    rewind: str | None,
    older_than: str | None,
    newer_than: str | None,
    **said: str | None,
) -> _Wish:
    from ingot.base.errors import UsageError
    from ingot.cli._ages import age_of
    from ingot.cli.buckets._settings import choice_of
    from ingot.cli.objects._copies import any_stream
    from ingot.client.copying import check_takes
    from ingot.client.given import Given

    choice = choice_of(
        recursive=recursive, version_id=version_id, every_version=False, rewind=rewind
    )
    wish = _Wish(choice, age_of(older_than, newer_than), Given(**said))
    wish.given.check()
    check_takes(target, wish.given)
    has_stream = any_stream([*sources, target])
    if wish.is_past and (wish.age or has_stream):
        raise UsageError("versions are chosen by --version-id or --rewind alone, between addresses")
    if wish.age and has_stream:
        raise UsageError("--older-than and --newer-than choose among files and objects, not of '-'")
    return wish


def _copy(
    printer: Printer,
    connections: Connections,
    conduct: Conduct,
    wish: _Wish,
    *,
    sources: Sequence[Address],
    target: Address,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    preserve: bool,
) -> None:
    from ingot.base.clock import SystemClock
    from ingot.base.paths import cache_dir, state_dir
    from ingot.cli.objects._copies import carry_out, carry_past
    from ingot.client.copier import Copier
    from ingot.client.digests import ContentDigests
    from ingot.client.digeststore import DigestStore
    from ingot.client.entries import Selection
    from ingot.client.journal import Journal

    recursive, selection = wish.choice.recursive, Selection(exclude)
    with ExitStack() as stack:
        # A later mirror need not read what was not touched since.
        memory = stack.enter_context(DigestStore(cache_dir())) if recursive else None
        copier = Copier(
            connections,
            ContentDigests(SystemClock(), memory),
            keep_times=preserve,
            given=wish.given,
            journal=Journal(state_dir() / "uploads"),
        )
        if wish.is_past:
            carry_past(
                printer,
                connections,
                copier,
                conduct,
                sources=sources,
                target=target,
                choice=wish.choice,
                selection=selection,
            )
            return
        carry_out(
            printer,
            connections,
            copier,
            conduct,
            sources=sources,
            target=target,
            folders=selection if recursive else None,
            follow_links=follow_symlinks,
            age=wish.age,
        )


def _copy_stream(
    reporter: Reporter,
    connections: Connections,
    sources: Sequence[Address],
    target: Address,
    given: Given,
    *,
    dry_run: bool,
) -> None:
    """Copy standard input to an object, or one object to standard output."""
    from ingot.base.errors import UsageError
    from ingot.client.addresses import RemoteAddress
    from ingot.client.events import Copied
    from ingot.client.streams import read_object, write_object
    from ingot.client.wire import current

    source = sources[0]
    hint = "one side is '-', the other ALIAS/BUCKET/KEY"
    if len(sources) > 1:
        raise UsageError("'-' stands alone with one object", hint=hint)
    if isinstance(target, RemoteAddress):
        if not target.bucket or target.names_folder:
            raise UsageError(f"{target} is no object to write the input to", hint=hint)
        size_bytes = 0
        if not dry_run:
            client = connections.client(target.alias)
            size_bytes = write_object(
                client,
                target,
                sys.stdin.buffer,
                given.for_name(target.key),
                splits=current().split_from_bytes is None,
            )
        reporter.tell(Copied("-", str(target), size_bytes))
        return
    if not isinstance(source, RemoteAddress) or not source.key or not target.is_stream:
        raise UsageError(f"{source} and {target} cannot be copied as a stream", hint=hint)
    if not dry_run:
        for piece in read_object(connections.client(source.alias), source):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
