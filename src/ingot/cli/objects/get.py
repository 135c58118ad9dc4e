"""`ingot get`: one object to a file."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_address, complete_remote
from ingot.cli._writing import key_options
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("source", shell_complete=complete_remote)
@click.argument("target", shell_complete=complete_address)
@click.option("--version-id", "--vid", metavar="ID", help="This version; else the current one.")
@key_options
@output_options
def get(printer: Printer, *, source: str, target: str, version_id: str | None) -> None:
    """Copy one object to a file, or into a folder.

    The file takes its name only when it is whole, verified and on the disk.

    \b
    Examples:
      ingot get store/photos/cat.jpg cat.jpg
      ingot get store/photos/cat.jpg ./pictures/
      ingot get --version-id 3f0c… store/photos/cat.jpg old-cat.jpg
    """
    import posixpath

    from ingot.base.errors import Error
    from ingot.cli._objects import Reporter
    from ingot.client.addresses import (
        LocalAddress,
        check_intended_local,
        check_no_stream,
        parse_object,
    )
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.events import Copied
    from ingot.client.leftovers import Leftovers
    from ingot.client.localnames import prepare_local_path

    book = AliasBook.default()
    address = parse_object(source, book)
    goal = LocalAddress(target)
    check_no_stream(goal)
    check_intended_local(goal, book)
    if goal.names_folder:
        root, name = goal.path, posixpath.basename(address.key.rstrip("/"))
    else:
        root, name = goal.path.parent, goal.path.name
    reporter = Reporter(printer, alone=True)
    with Connections() as connections, printer.progress() as progress:
        client = connections.client(address.alias)
        info = client.head_object(address.bucket, address.key, version_id=version_id)
        Leftovers.default().sweep_folder(root)
        try:
            path = prepare_local_path(root, name)
        except OSError as error:
            raise Error(f"cannot write {root / name}: {error.strerror}") from error
        with progress.task(name, total=info.size_bytes, unit="bytes") as task:
            connections.transfers(address.alias).download_file(
                address.bucket,
                address.key,
                path,
                size_bytes=info.size_bytes,
                version_id=version_id,
                advance=task.advance,
            )
    reporter.tell(Copied(str(address), str(path), info.size_bytes))
