"""`ingot share`: links that anyone may use for a while."""

from __future__ import annotations

import shlex
from collections import deque
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.client.connections import Connections
    from ingot.client.shares import Share

# SigV4's limit.
EXPIRE_MAX_S = 7 * 24 * 3600
_NS_PER_S = 1_000_000_000
_LISTED_MAX = 1000
_expire_option = click.option(
    "--expire",
    "-E",
    default="7d",
    show_default=True,
    metavar="DURATION",
    help="How long the link is good for; 7 days at most.",
)


@click.group()
def share() -> None:
    """Make links that anyone may use for a while.

    \b
    Examples:
      ingot share download store/photos/cat.jpg
      ingot share upload store/inbox/cat.jpg
      ingot share list download
    """


@share.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@_expire_option
@click.option("--recursive", "-r", is_flag=True, help="A link for each object below TARGET.")
@click.option("--version-id", "--vid", metavar="ID", help="This version of one object.")
@output_options
def download(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    expire: str,
    recursive: bool,
    version_id: str | None,
) -> None:
    """Print links from which objects can be downloaded without keys.

    A link cannot be taken back, except by removing the object or the keys that signed it.

    \b
    Examples:
      ingot share download store/photos/cat.jpg
      ingot share download --expire 1h30m --recursive store/photos/2026/
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import format_duration
    from ingot.cli._objects import each
    from ingot.client.addresses import RemoteAddress, parse_object, parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.listing import list_address

    expires_s = _expires_s(expire)
    if version_id is not None and (recursive or len(targets) > 1):
        raise UsageError("a version belongs to one object")
    book = AliasBook.default()
    shown = _Shown(printer, "download", expires_s)
    query = () if version_id is None else (("versionId", version_id),)

    def show(connections: Connections, address: RemoteAddress) -> None:
        url = connections.client(address.alias).presigned_url(
            "GET", address.bucket, address.key, expires_s=expires_s, query=query
        )
        shown.tell(address, url, _plain(url))

    with Connections() as connections:

        def act(target: str) -> None:
            address = (parse_remote if recursive else parse_object)(target, book)
            _check_keys(address)
            if not recursive:
                # A link to nothing would be found out by those it was given to.
                connections.client(address.alias).head_object(
                    address.bucket, address.key, version_id=version_id
                )
                show(connections, address)
                return
            for line in list_address(connections, address, recursive=True):
                if not line.is_folder:
                    bucket, _, key = line.path.partition("/")
                    show(connections, RemoteAddress(address.alias, bucket, key))

        try:
            each(printer, targets, act)
        finally:
            shown.keep()
    printer.note(f"good for {format_duration(expires_s)}")


@share.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@_expire_option
@click.option("--recursive", "-r", is_flag=True, help="Any name that begins with TARGET.")
@click.option("--content-type", "-T", metavar="TYPE", help="Only of this type.")
@click.option("--max-size", metavar="SIZE", help="Not larger than this.")
@output_options
def upload(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    expire: str,
    recursive: bool,
    content_type: str | None,
    max_size: str | None,
) -> None:
    """Print commands by which others can upload without keys; put a file's name for <FILE>.

    One object is uploaded by a link (PUT). What a link cannot say (any name below, a type, a size)
    is uploaded by a form (POST), which not every service has.

    \b
    Examples:
      ingot share upload store/inbox/cat.jpg
      ingot share upload --expire 2h --recursive store/inbox/
      ingot share upload --content-type image/png --max-size 10M store/inbox/cat.png
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import format_duration, parse_size
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections

    expires_s = _expires_s(expire)
    most_bytes = None if max_size is None else parse_size(max_size)
    by_form = recursive or content_type is not None or most_bytes is not None
    book = AliasBook.default()
    shown = _Shown(printer, "upload", expires_s)
    with Connections() as connections:

        def act(target: str) -> None:
            address = parse_remote(target, book)
            _check_keys(address)
            if not address.bucket or (address.names_folder and not recursive):
                raise UsageError(f"{address} is not an object", hint="add --recursive")
            client = connections.client(address.alias)
            client.head_bucket(address.bucket)
            if not by_form:
                url = client.presigned_url("PUT", address.bucket, address.key, expires_s=expires_s)
                shown.tell(address, f"curl --upload-file '<FILE>' {shlex.quote(url)}", {"url": url})
                return
            form = client.presigned_form(
                address.bucket,
                address.key,
                expires_s=expires_s,
                any_name_below=recursive,
                content_type=content_type,
                most_bytes=most_bytes,
            )
            document = {"url": form.url, "fields": form.fields}
            shown.tell(address, _curl(form.url, form.fields, recursive=recursive), document)

        try:
            each(printer, targets, act)
        finally:
            shown.keep()
    printer.note(f"good for {format_duration(expires_s)}")


@share.command("list")
@click.argument("kind", type=click.Choice(["download", "upload"]))
@output_options
def list_(printer: Printer, *, kind: str) -> None:
    """Show the links that were made on this machine and are still good.

    \b
    Examples:
      ingot share list download
      ingot share list upload --json
    """
    from ingot.base.clock import SystemClock
    from ingot.base.units import format_duration
    from ingot.client.shares import ShareBook

    now_ns = SystemClock().now_ns()
    for one in ShareBook.default().valid(kind, now_ns):
        left_ns = one.expires_ns - now_ns
        document = {"key": one.address, "share": one.text, "timeLeft": left_ns}
        if kind == "download":
            document |= _plain(one.text)
        left = format_duration(left_ns / _NS_PER_S)
        printer.data(document, f"{visible(one.address)} (good for {left})\n  {one.text}")


class _Shown:
    """Prints links and keeps them in the user's list."""

    def __init__(self, printer: Printer, kind: str, expires_s: int) -> None:
        self._printer = printer
        self._kind = kind
        self._expires_s = expires_s
        self._made: deque[Share] = deque(maxlen=_LISTED_MAX)

    def tell(self, address: RemoteAddress, text: str, more: dict[str, Any]) -> None:
        """Print one."""
        from ingot.base.clock import SystemClock
        from ingot.client.shares import Share

        expires_ns = SystemClock().now_ns() + self._expires_s * _NS_PER_S
        self._made.append(Share(self._kind, str(address), text, expires_ns))
        document = {"key": str(address), "share": text, "timeLeft": self._expires_s * _NS_PER_S}
        self._printer.data({**document, **more}, text)

    def keep(self) -> None:
        """Add those that were printed to the list; without it they are as good."""
        from ingot.base.clock import SystemClock
        from ingot.base.errors import Error
        from ingot.client.shares import ShareBook

        if not self._made:
            return
        try:
            ShareBook.default().add(self._made, SystemClock().now_ns())
        except Error as error:
            self._printer.warning(f"the links are good but not listed: {error.message}")


def _plain(link: str) -> dict[str, str]:
    """Return the object's own URL, which is no good without what signs it."""
    return {"url": link.partition("?")[0]}


def _expires_s(expire: str) -> int:
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_duration

    expires_s = int(parse_duration(expire))
    if not 1 <= expires_s <= EXPIRE_MAX_S:
        raise UsageError(f"{expire!r} is not between 1 second and 7 days")
    return expires_s


def _check_keys(address: RemoteAddress) -> None:
    from ingot.base.errors import UsageError

    if not address.alias.access_key:
        raise UsageError(
            f"{address.alias.name} has no keys to sign a link with",
            hint=f"its objects are at {address.alias.url} if anyone may read them",
        )


def _curl(url: str, fields: dict[str, str], *, recursive: bool) -> str:
    words = []
    for name, value in fields.items():
        ending = "<NAME>" if name == "key" and recursive else ""
        words.append(f"--form-string {shlex.quote(f'{name}={value}{ending}')}")
    return f"curl {shlex.quote(url)} {' '.join(words)} --form 'file=@<FILE>'"
