"""`ingot put`: one file to an object."""

from __future__ import annotations

import os
from typing import Any

import click

from ingot.cli._completion import complete_address, complete_remote
from ingot.cli._writing import writing_options
from ingot.cli.objects._given import given_options
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("source", shell_complete=complete_address)
@click.argument("target", shell_complete=complete_remote)
@click.option("--if-not-exists", is_flag=True, help="Fail if there is an object of this name.")
@click.option(
    "--part-size", "-s", default="16M", show_default=True, metavar="SIZE", help="Of each part."
)
@click.option(
    "--parallel",
    "-P",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Parts at once.",
)
@given_options
@writing_options
@output_options
def put(
    printer: Printer,
    *,
    source: str,
    target: str,
    if_not_exists: bool,
    part_size: str,
    parallel: int,
    **given: Any,
) -> None:
    """Copy one file to an object, or into a bucket or folder.

    A file that is longer than a part goes in parts. The service checks every byte's checksum.

    \b
    Examples:
      ingot put cat.jpg store/photos/
      ingot put --if-not-exists cat.jpg store/photos/cat.jpg
      ingot put --part-size 64M --parallel 8 disk.img store/images/disk.img
      ingot put --attr 'Cache-Control=no-cache' --tags 'kind=page' index.html store/site/
    """
    from ingot.base.errors import UsageError
    from ingot.cli._objects import Reporter
    from ingot.client.addresses import LocalAddress, parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.copying import examine_file
    from ingot.client.events import Copied
    from ingot.client.given import Given
    from ingot.client.streams import parse_part_size
    from ingot.client.wire import current
    from ingot.s3client.parts import TransferOptions
    from ingot.s3client.results import WriteConditions
    from ingot.s3client.transfer import Transfers

    address = parse_remote(target, AliasBook.default())
    if not address.bucket:
        raise UsageError(f"{address} names no bucket", hint="write it like ALIAS/BUCKET[/KEY]")
    if os.path.isdir(source):
        raise UsageError(f"{source} is a folder", hint="copy it with 'ingot cp --recursive'")
    place, entry = examine_file(LocalAddress(source))
    path = place.path
    if address.names_folder:
        address = address.at(address.key + path.name)
    part_bytes = parse_part_size(part_size)
    options = TransferOptions(
        part_bytes=part_bytes,
        split_from_bytes=current().split_from_bytes or part_bytes + 1,
        parts_at_once=parallel,
    )
    attributes = Given(**given).for_name(address.key)
    reporter = Reporter(printer, alone=True)
    with Connections() as connections, printer.progress() as progress:
        client = connections.client(address.alias)
        with (
            Transfers(client, options) as transfers,
            progress.task(path.name, total=entry.size_bytes, unit="bytes") as task,
        ):
            made = transfers.upload_file(
                path,
                address.bucket,
                address.key,
                attributes=attributes,
                conditions=WriteConditions(if_absent=if_not_exists),
                advance=task.advance,
            )
    reporter.tell(Copied(source, str(address), made.size_bytes))
