"""`ingot tree`: folders as a drawing."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options, visible


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--files", "-f", is_flag=True, help="Objects too, not only folders.")
@click.option("--depth", "-d", type=click.IntRange(1), help="How deep; everything if not given.")
@output_options
def tree(printer: Printer, *, targets: tuple[str, ...], files: bool, depth: int | None) -> None:
    """Draw the folders below an alias, a bucket or a folder.

    \b
    Examples:
      ingot tree store
      ingot tree --files --depth 2 store/photos
    """
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.drawing import draw

    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            address = parse_remote(target, book)
            twigs = draw(connections, address, with_files=files, levels=depth)
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
