"""`ingot tree`: folders as a drawing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_address
from ingot.cli._habits import Levels
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.client.addresses import Address
    from ingot.client.listing import Line


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_address)
@click.option("--files", "-f", is_flag=True, help="Objects too, not only folders.")
@click.option("--depth", "-d", type=Levels(-1), help="How deep; everything if not given.")
@click.option("--rewind", metavar="MOMENT", help="What was there then: 7d (ago), 2026-11-24.")
@output_options
def tree(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    files: bool,
    depth: int | None,
    rewind: str | None,
) -> None:
    """Draw the folders below an alias, a bucket or a folder, on S3 or local.

    \b
    Examples:
      ingot tree store
      ingot tree --files --depth 2 store/photos
    """
    from ingot.cli._objects import each
    from ingot.cli.buckets._settings import choice_of, refuse_history
    from ingot.client.addresses import LocalAddress, parse_place
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.drawing import draw
    from ingot.client.listing import list_address
    from ingot.client.locallisting import list_local
    from ingot.client.pastlisting import list_versions

    book = AliasBook.default()
    choice = choice_of(recursive=True, version_id=None, every_version=False, rewind=rewind)
    with Connections() as connections:

        def level(root: Address, path: str) -> Iterator[Line]:
            if isinstance(root, LocalAddress):
                return list_local(f"{root}/{path}" if path else str(root), recursive=False)
            folder = root.within(path)
            if choice.rewind_ns is None:
                return list_address(connections, folder, recursive=False)
            return list_versions(connections, folder, recursive=False, moment_ns=choice.rewind_ns)

        def act(target: str) -> None:
            address = parse_place(target, book)
            if isinstance(address, LocalAddress):
                refuse_history(address, choice)
            twigs = draw(partial(level, address), with_files=files, levels=depth)
            if not printer.as_json:
                printer.data({}, visible(str(address)))
            for twig in twigs:
                line = twig.line
                printer.data(
                    {
                        "type": "folder" if line.is_folder else "file",
                        "key": line.path,
                        "size": line.size_bytes,
                        "level": twig.level,
                    },
                    twig.branch + visible(line.name),
                )

        each(printer, targets, act)
