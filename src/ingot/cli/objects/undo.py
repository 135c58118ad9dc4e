"""`ingot undo`: objects as they were before their last changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli._vocabulary import complete_choice
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.client.addresses import RemoteAddress
    from ingot.s3.documents.listing import VersionEntry
    from ingot.s3client.client import S3Client


@click.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--last", type=click.IntRange(1), default=1, show_default=True, help="Changes.")
@click.option("--recursive", "-r", is_flag=True, help="Of each object below TARGET.")
@click.option(
    "--action",
    type=click.Choice(["PUT", "DELETE"], case_sensitive=False),
    shell_complete=complete_choice,
    help="Only while the last changes are such.",
)
@click.option("--force", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be undone, change nothing.")
@output_options
def undo(
    printer: Printer,
    *,
    target: str,
    last: int,
    recursive: bool,
    action: str | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Undo the last changes of an object, by removing the versions that they made.

    What a PUT stored is gone for ever then; undoing a DELETE brings the object back. The bucket
    must keep versions.

    \b
    Examples:
      ingot undo store/photos/cat.jpg
      ingot undo --recursive --action DELETE --force store/photos/2026/
      ingot undo --last 3 --dry-run store/photos/cat.jpg
    """
    from ingot.base.errors import NotFoundError, UsageError
    from ingot.cli._objects import Reporter
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.events import Failed, Removed
    from ingot.client.removal import remove_chosen
    from ingot.client.undoing import last_changes
    from ingot.client.versions import Chosen, by_key, history

    address = parse_remote(target, AliasBook.default())
    if not address.bucket or (address.names_folder and not recursive):
        raise UsageError(f"{address} is not an object", hint="add --recursive for a folder")
    question = f"Undo the last changes of all below {address}?"
    if recursive and not (dry_run or printer.confirm(question, yes=force)):
        raise UsageError("nothing was undone", hint="add --force to undo without asking")
    reporter = Reporter(printer, dry_run=dry_run)
    kind = None if action is None else action.upper()
    with Connections() as connections:
        client = connections.client(address.alias)
        _check_versions(client, address)
        # Those that are on their way, at most a thousand.
        underway: dict[tuple[str, str], VersionEntry] = {}

        def items() -> Iterator[Chosen]:
            for versions in by_key(history(client, address, recursive=recursive)):
                for entry in last_changes(versions, last, kind):
                    changed = address.at(entry.key)
                    underway[str(changed), entry.version_id] = entry
                    yield Chosen(changed, entry.version_id)

        for event in remove_chosen(client, items(), dry_run=dry_run):
            reporter.tally.add(event)
            if isinstance(event, Removed):
                entry = underway.pop((event.target, event.version_id))
                _tell(printer, event.target, entry, dry_run=dry_run)
            elif isinstance(event, Failed):
                printer.failure(event.error)
    if not (recursive or reporter.tally.removed or reporter.tally.failed):
        raise NotFoundError(f"{address} has no such change")
    reporter.finish(summary=False)


def _check_versions(client: S3Client, address: RemoteAddress) -> None:
    from ingot.base.errors import Error

    if client.get_bucket_versioning(address.bucket) is None:
        bucket = f"{address.alias.name}/{address.bucket}"
        raise Error(
            f"{bucket} keeps no versions, so nothing can be undone",
            hint=f"'ingot version enable {bucket}' keeps them from then on",
        )


def _tell(printer: Printer, target: str, entry: VersionEntry, *, dry_run: bool) -> None:
    document = {
        "url": target,
        "key": entry.key,
        "versionId": entry.version_id,
        "isDeleteMarker": entry.is_delete_marker,
        **({"dryRun": True} if dry_run else {}),
    }
    act = "deletion" if entry.is_delete_marker else "upload"
    did = "would undo" if dry_run else "undid"
    printer.data(document, f"{did} the {act} of {visible(target)} ({entry.version_id})")
