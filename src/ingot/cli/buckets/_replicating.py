"""What of `ingot replicate` asks how it goes: `status`, `backlog` and `resync`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3.documents.replicationstats import Count, ReplicationStats, Resync
    from ingot.s3client.client import S3Client


@click.command()
@click.argument("target", shell_complete=complete_remote)
@output_options
def status(printer: Printer, *, target: str) -> None:
    """Tell how the replication of the bucket TARGET goes (MinIO and its like).

    \b
    Examples:
      ingot replicate status store/photos
    """

    def show(client: S3Client, address: RemoteAddress) -> None:
        client.get_bucket_replication(address.bucket)
        stats = client.get_bucket_replication_metrics(address.bucket)
        document = {"op": "status", "url": str(address), "replicationstats": stats.document}
        printer.data(document, _status_text(stats))

    on_buckets(printer, [target], show)


@click.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--verbose", "-v", is_flag=True, help="Those that were replicated, too.")
@output_options
def backlog(printer: Printer, *, target: str, verbose: bool) -> None:
    """Tell which versions below TARGET are not replicated yet, or failed to be.

    Each version is asked for by itself: it works on every service that replicates, and costs a
    request for each. Delete markers are not looked at.

    \b
    Examples:
      ingot replicate backlog store/photos/2026/
    """
    from ingot.cli._objects import iso_time
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.backlog import Backlog
    from ingot.client.connections import Connections

    address = parse_remote(target, AliasBook.default())
    with Connections() as connections:
        for version in Backlog(connections, address).versions(replicated=verbose):
            printer.data(
                {
                    "op": "diff",
                    "object": version.key,
                    "versionId": version.version_id,
                    "replicationStatus": version.status,
                    "lastModified": iso_time(version.modified_ns),
                    "size": version.size_bytes,
                },
                f"{version.status:<9} {address.at(version.key)} ({version.version_id})",
            )


@click.group()
def resync() -> None:
    """Copy again what was copied before, to a target that lost it (MinIO and its like).

    \b
    Examples:
      ingot replicate resync start store/photos
      ingot replicate resync status store/photos
    """


@resync.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--remote-bucket", "arn", default="", metavar="ARN", help="Which target, of several.")
@click.option("--older-than", metavar="DURATION", help="Only what was written so long ago; days.")
@output_options
def start(printer: Printer, *, target: str, arn: str, older_than: str | None) -> None:
    """Begin to copy again what is in the bucket TARGET.

    The rule must have existing-objects among what it replicates.

    \b
    Examples:
      ingot replicate resync start --older-than 7d store/photos
    """
    from ingot.base.units import parse_duration
    from ingot.client.replication import only_target

    older_than_s = None if older_than is None else int(parse_duration(older_than))

    def begin(client: S3Client, address: RemoteAddress) -> None:
        # Also makes sure that the bucket is there: a service that does not know what comes next
        # takes it for a wish to make one.
        chosen = arn or only_target(client.get_bucket_replication(address.bucket))
        begun = client.start_bucket_replication_resync(
            address.bucket, chosen, older_than_s=older_than_s
        )
        text = "\n".join(f"resync {one.resync_id} to {one.arn} began" for one in begun)
        printer.data(_document("resync", address, begun), text)

    on_buckets(printer, [target], begin)


@resync.command("status")
@click.argument("target", shell_complete=complete_remote)
@click.option("--remote-bucket", "arn", default="", metavar="ARN", help="Only this target.")
@output_options
def resync_status(printer: Printer, *, target: str, arn: str) -> None:
    """Tell how far the resyncs of the bucket TARGET are.

    \b
    Examples:
      ingot replicate resync status store/photos
    """
    from ingot.cli._table import table

    def show(client: S3Client, address: RemoteAddress) -> None:
        client.get_bucket_replication(address.bucket)
        resyncs = client.get_bucket_replication_resync(address.bucket, arn)
        rows = [
            (
                one.resync_id,
                one.status or "-",
                one.started,
                _counted(one.replicated),
                _counted(one.failed),
                one.arn,
            )
            for one in resyncs
        ]
        headings = ("ID", "STATUS", "STARTED", "REPLICATED", "FAILED", "TARGET")
        printer.data(
            _document("status", address, resyncs),
            table(headings, rows) if rows else f"{address} was never copied again",
        )

    on_buckets(printer, [target], show)


def _document(op: str, address: RemoteAddress, resyncs: list[Resync]) -> dict[str, object]:
    return {
        "op": op,
        "url": str(address),
        "resyncInfo": {
            "target": [
                {
                    "arn": one.arn,
                    "resetid": one.resync_id,
                    "resyncStatus": one.status,
                    "startTime": one.started,
                    "endTime": one.ended,
                    "replicationCount": one.replicated.objects,
                    "completedReplicationSize": one.replicated.size_bytes,
                    "failedReplicationCount": one.failed.objects,
                    "failedReplicationSize": one.failed.size_bytes,
                    "object": one.last_key,
                }
                for one in resyncs
            ]
        },
    }


def _status_text(stats: ReplicationStats) -> str:
    from ingot.base.units import format_duration, format_size

    lines = [f"since {format_duration(stats.uptime_s)}"]
    for target in stats.targets:
        lines.append(target.arn)
        lines.append(f"  replicated  {_counted(target.replicated)}")
        hour = _counted(target.failed_hour)
        lines.append(f"  failed      {_counted(target.failed)}; in the last hour {hour}")
        if target.limit_bytes_per_s:
            lines.append(f"  limit       {format_size(target.limit_bytes_per_s)}/s")
    lines += [
        f"all targets   {_counted(stats.replicated)}",
        f"failed        {_counted(stats.failed)}",
        f"waiting       {_counted(stats.queued)}",
        f"came here     {_counted(stats.replicas)}",
    ]
    return "\n".join(lines)


def _counted(count: Count) -> str:
    from ingot.base.units import format_size

    return f"{count.objects} ({format_size(count.size_bytes)})"
