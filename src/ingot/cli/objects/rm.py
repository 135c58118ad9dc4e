"""`ingot rm`: delete objects, versions and unfinished uploads."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.cli._objects import Reporter
    from ingot.client.addresses import RemoteAddress
    from ingot.client.ages import Age
    from ingot.client.events import Event
    from ingot.client.versions import Choice
    from ingot.s3client.client import S3Client
    from ingot.s3client.results import ObjectInfo


@click.command()
@click.argument("targets", nargs=-1, shell_complete=complete_remote)
@click.option("--recursive", "-r", is_flag=True, help="Delete a folder, all below it.")
@click.option("--force", is_flag=True, help="Do not ask; what is not there is no error.")
@click.option("--versions", "every_version", is_flag=True, help="All versions, for ever.")
@click.option("--non-current", is_flag=True, help="All versions but the current one, for ever.")
@click.option("--version-id", "--vid", metavar="ID", help="This version, for ever.")
@click.option("--older-than", metavar="DURATION", help="Only what was written longer ago.")
@click.option("--newer-than", metavar="DURATION", help="Only what was written since then.")
@click.option("--rewind", metavar="MOMENT", help="With --versions: only those from before then.")
@click.option("--dangerous", is_flag=True, help="An ALIAS stands for what is in all its buckets.")
@click.option("--incomplete", "-I", is_flag=True, help="Uploads that are not finished.")
@click.option("--bypass", is_flag=True, help="Although a retention in governance mode says no.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, change nothing.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read addresses from input, one a line.")
@output_options
def rm(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    recursive: bool,
    force: bool,
    every_version: bool,
    non_current: bool,
    version_id: str | None,
    older_than: str | None,
    newer_than: str | None,
    rewind: str | None,
    dangerous: bool,
    incomplete: bool,
    bypass: bool,
    dry_run: bool,
    from_stdin: bool,
) -> None:
    """Delete objects.

    With --recursive, an address without a slash at its end means the object of this very name and
    the folder of this name, never other names that begin alike.

    \b
    Examples:
      ingot rm store/photos/cat.jpg
      ingot rm --recursive --force store/photos/2024/
      ingot rm --recursive --dry-run --older-than 90d store/photos
      ingot rm --recursive --force --versions store/photos
      ingot rm --recursive --incomplete --older-than 1d --force store/photos
      ingot rm --stdin < names.txt
    """
    from ingot.base.errors import UsageError
    from ingot.cli._ages import age_of
    from ingot.cli._objects import Reporter, each
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.versions import Choice

    if not targets and not from_stdin:
        raise UsageError("nothing to delete was named", hint="see 'ingot rm --help'")
    if rewind is not None:
        _check_rewind(every_version=every_version, has_age=older_than is not None)
    choice = Choice(recursive, version_id, every_version or non_current)
    choice.check()
    reporter = Reporter(printer, dry_run=dry_run)
    removal = _Removal(
        reporter,
        choice,
        age_of(older_than or rewind, newer_than),
        force=force,
        dangerous=dangerous,
        non_current=non_current,
        incomplete=incomplete,
        bypass=bypass,
        dry_run=dry_run,
    )
    if recursive and not (dry_run or printer.confirm(_question(targets), yes=force)):
        raise UsageError("nothing was deleted", hint="add --force to delete without asking")
    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            address = parse_remote(target, book)
            removal.act(connections.client(address.alias), address)

        each(printer, chain(targets, _lines() if from_stdin else ()), act)
    reporter.finish(summary=False)


@dataclass
class _Removal:
    """What is deleted at each address, and what that tells."""

    reporter: Reporter
    choice: Choice
    age: Age
    force: bool
    dangerous: bool
    non_current: bool
    incomplete: bool
    bypass: bool
    dry_run: bool

    def act(self, client: S3Client, address: RemoteAddress) -> None:
        """Delete what is meant at one address.

        Raises:
            Error: it is not there, or cannot be deleted.
        """
        from ingot.base.errors import NotFoundError, UsageError
        from ingot.client.addresses import RemoteAddress

        if not address.bucket and self.choice.recursive and self.dangerous:
            for bucket in list(client.list_buckets()):
                self.act(client, RemoteAddress(address.alias, bucket.name))
            return
        if not address.bucket:
            raise UsageError(
                f"{address} names no bucket",
                hint="buckets are removed with 'ingot rb'; to delete what is in all of them, add"
                " --recursive --dangerous",
            )
        if not self.choice.recursive:
            if not address.key:
                raise UsageError(f"{address} is not an object", hint="add --recursive")
            if not (self.choice.wants_history or self.incomplete):
                self._remove_one(client, address)
                return
        tally = self.reporter.tally
        before = tally.removed + tally.failed
        self.reporter.show(self._events(client, address))
        found = tally.removed + tally.failed > before
        picky = self.age or self.non_current or self.incomplete or self.force
        if not found and address.key and not picky:
            raise NotFoundError(f"there is nothing at {address}")

    def _events(self, client: S3Client, address: RemoteAddress) -> Generator[Event]:
        from ingot.client.removal import remove_chosen, remove_uploads
        from ingot.client.versions import select

        recursive, dry_run = self.choice.recursive, self.dry_run
        if self.incomplete:
            return remove_uploads(
                client, address, recursive=recursive, age=self.age, dry_run=dry_run
            )
        items = (
            item
            for item in select(client, address, self.choice)
            if self.age.admits(item.modified_ns) and not (self.non_current and item.is_latest)
        )
        return remove_chosen(client, items, bypass=self.bypass, dry_run=dry_run)

    def _remove_one(self, client: S3Client, address: RemoteAddress) -> None:
        from ingot.client.events import Removed

        version_id = self.choice.version_id
        size_bytes = 0
        if self.age or not self.force:
            info = self._looked_up(client, address)
            if info is not None:
                if not self.age.admits(info.modified_ns):
                    return
                size_bytes = info.size_bytes
        if not self.dry_run:
            client.delete_object(
                address.bucket, address.key, version_id=version_id, bypass=self.bypass
            )
        self.reporter.tell(Removed(str(address), size_bytes, version_id or ""))

    def _looked_up(self, client: S3Client, address: RemoteAddress) -> ObjectInfo | None:
        """Return what is known of one object; None of a delete marker."""
        from ingot.base.errors import NotFoundError
        from ingot.s3client.errors import ServiceError

        version_id = self.choice.version_id
        try:
            return client.head_object(address.bucket, address.key, version_id=version_id)
        except NotFoundError as error:
            if version_id:
                raise NotFoundError(f"{address} has no version {version_id}") from error
            raise NotFoundError(
                f"{address} does not exist", hint="a folder is deleted with --recursive"
            ) from error
        except ServiceError as error:
            # A delete marker cannot be asked for, only deleted.
            if version_id and error.code == "MethodNotAllowed" and not self.age:
                return None
            raise


def _check_rewind(*, every_version: bool, has_age: bool) -> None:
    from ingot.base.errors import UsageError

    if not every_version or has_age:
        raise UsageError(
            "--rewind says which of all --versions go",
            hint="to have back what was there, use 'ingot cp --rewind' or 'ingot undo'",
        )


def _question(targets: tuple[str, ...]) -> str:
    return f"Delete everything below {', '.join(targets) or 'the addresses of the input'}?"


def _lines() -> Iterator[str]:
    return (line.rstrip("\n") for line in sys.stdin if line.strip())
