"""`ingot watch`: what happens to objects, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli._habits import always
from ingot.cli._vocabulary import complete_events
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3client.listen import BucketEvent


@click.command()
@click.argument("target", shell_complete=complete_remote)
@click.option(
    "--events",
    "words",
    default="put,delete,get",
    show_default=True,
    metavar="EVENTS",
    shell_complete=complete_events,
    help="put, delete, get, replica, ilm, or names as s3:ObjectCreated:Put.",
)
@click.option("--prefix", default="", help="Only keys that go on so, after TARGET.")
@click.option("--suffix", default="", help="Only keys that end so.")
@always("--recursive")
@click.option(
    "--interval",
    default="5s",
    show_default=True,
    metavar="DURATION",
    help="How often to compare, where a service has no stream of events.",
)
@output_options
def watch(
    printer: Printer, *, target: str, words: str, prefix: str, suffix: str, interval: str
) -> None:
    """Print what happens to objects below TARGET, until it is interrupted.

    MinIO and its like send a stream of events. Elsewhere the objects are listed again and again and
    compared: then reads are not seen, and of several changes of one object only the last.

    \b
    Examples:
      ingot watch store/photos
      ingot watch --events put --suffix .jpg store/photos/2026/
      ingot watch --json store | jq .events.path
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_duration
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.hooks import parse_events
    from ingot.client.observing import Wish, observe

    interval_s = parse_duration(interval)
    if interval_s <= 0:
        raise UsageError("--interval must be longer than nothing")
    wish = Wish(parse_events(words), prefix, suffix)
    address = parse_remote(target, AliasBook.default())
    with Connections() as connections:
        client = connections.client(address.alias)
        if address.bucket:
            client.head_bucket(address.bucket)
        for event in observe(
            client,
            address,
            wish,
            interval_s=interval_s,
            note=printer.note,
            listener=connections.listener(address.alias),
        ):
            _show(printer, address, event)


def _show(printer: Printer, address: RemoteAddress, event: BucketEvent) -> None:
    from ingot.base.units import format_size

    path = f"{address.alias.name}/{event.bucket}/{event.key}"
    size = event.size_bytes
    document = {"time": event.time, "size": size or 0, "path": path, "type": event.name}
    shown = "-" if size is None else format_size(size)
    printer.data({"events": document}, f"[{event.time}] {shown:>10} {event.name} {visible(path)}")
