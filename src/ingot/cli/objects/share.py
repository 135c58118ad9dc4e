"""`ingot share`: links that anyone may use for a while."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options

# SigV4's limit.
EXPIRE_MAX_S = 7 * 24 * 3600
_NS_PER_S = 1_000_000_000


@click.group()
def share() -> None:
    """Make links that anyone may use for a while.

    \b
    Examples:
      ingot share download store/photos/cat.jpg
    """


@share.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option(
    "--expire",
    "-E",
    default="7d",
    show_default=True,
    metavar="DURATION",
    help="How long the link is good for; 7 days at most.",
)
@click.option("--recursive", "-r", is_flag=True, help="A link for each object below TARGET.")
@output_options
def download(printer: Printer, *, targets: tuple[str, ...], expire: str, recursive: bool) -> None:
    """Print links from which objects can be downloaded without keys.

    A link cannot be taken back, except by removing the object or the keys that signed it.

    \b
    Examples:
      ingot share download store/photos/cat.jpg
      ingot share download --expire 1h30m --recursive store/photos/2026/
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import format_duration, parse_duration
    from ingot.cli._objects import each
    from ingot.client.addresses import RemoteAddress, parse_object, parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.listing import list_address

    expires_s = int(parse_duration(expire))
    if not 1 <= expires_s <= EXPIRE_MAX_S:
        raise UsageError(f"{expire!r} is not between 1 second and 7 days")
    book = AliasBook.default()

    def show(connections: Connections, address: RemoteAddress) -> None:
        url = connections.client(address.alias).presigned_url(
            "GET", address.bucket, address.key, expires_s=expires_s
        )
        document = {"key": str(address), "share": url, "timeLeft": expires_s * _NS_PER_S}
        printer.data(document, url)

    with Connections() as connections:

        def act(target: str) -> None:
            address = (parse_remote if recursive else parse_object)(target, book)
            if not address.alias.access_key:
                raise UsageError(
                    f"{address.alias.name} has no keys to sign a link with",
                    hint=f"its objects are at {address.alias.url} if anyone may read them",
                )
            if not recursive:
                # A link to nothing would be found out by those it was given to.
                connections.client(address.alias).head_object(address.bucket, address.key)
                show(connections, address)
                return
            for line in list_address(connections, address, recursive=True):
                if not line.is_folder:
                    bucket, _, key = line.path.partition("/")
                    show(connections, RemoteAddress(address.alias, bucket, key))

        each(printer, targets, act)
    printer.note(f"good for {format_duration(expires_s)}")
