"""What the verbs about settings share: the buckets or versions they act on, and their options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingot.cli.printer import Printer, visible

if TYPE_CHECKING:
    from ingot.client.addresses import LocalAddress, RemoteAddress
    from ingot.client.jsonform import Form
    from ingot.client.versions import Choice, Chosen
    from ingot.s3client.client import S3Client

_Document = TypeVar("_Document")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def version_options(command: _Command) -> _Command:
    """Give a command the options that say which versions of which objects are meant."""
    for option in (
        click.option("--recursive", "-r", is_flag=True, help="All objects below TARGET."),
        click.option("--version-id", "--vid", metavar="ID", help="This version."),
        click.option("--versions", "every_version", is_flag=True, help="All versions."),
        click.option(
            "--rewind", metavar="MOMENT", help="What was current then: 7d (ago), 2026-11-24T02:05."
        ),
    ):
        command = option(command)
    return command


def choice_of(
    *, recursive: bool, version_id: str | None, every_version: bool, rewind: str | None
) -> Choice:
    """Make a choice of the values of `version_options`.

    Raises:
        UsageError: they do not go together.
    """
    from ingot.base.clock import SystemClock
    from ingot.client.moments import parse_moment
    from ingot.client.versions import Choice

    moment = None if rewind is None else parse_moment(rewind, SystemClock().now_ns())
    choice = Choice(recursive, version_id, every_version, moment)
    choice.check()
    return choice


def refuse_history(address: LocalAddress, choice: Choice) -> None:
    """Make sure that no version of a file is asked for.

    Raises:
        UsageError: one is.
    """
    from ingot.base.errors import UsageError

    if choice.wants_history or choice.version_id is not None:
        raise UsageError(f"{address} is local, and files have no versions")


def on_buckets(
    printer: Printer,
    targets: Iterable[str],
    act: Callable[[S3Client, RemoteAddress], None],
) -> None:
    """Do something for each bucket that is named.

    Raises:
        Error: it failed.
    """
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_bucket
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections

    book = AliasBook.default()
    with Connections() as connections:

        def one(target: str) -> None:
            address = parse_bucket(target, book)
            act(connections.client(address.alias), address)

        each(printer, targets, one)


def on_versions(
    printer: Printer,
    targets: Iterable[str],
    choice: Choice,
    act: Callable[[S3Client, Chosen], None],
) -> None:
    """Do something for each version that is meant; delete markers are left out.

    Raises:
        Error: it failed, or there is none.
    """
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.versions import chosen

    book = AliasBook.default()
    with Connections() as connections:

        def items() -> Iterator[tuple[S3Client, Chosen]]:
            for target in targets:
                address = parse_remote(target, book)
                client = connections.client(address.alias)
                for item in chosen(client, address, choice):
                    if not item.is_delete_marker:
                        yield client, item

        each(printer, items(), lambda pair: act(*pair), label=lambda pair: str(pair[1]))


def table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a title and lines of names and values below it, in two columns."""
    shown = [(visible(name), visible(value)) for name, value in rows]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join([visible(title), *(f"  {name:<{width}}  {value}" for name, value in shown)])


def read_document(file: str, form: Form, parse: Callable[[bytes], _Document]) -> _Document:
    """Read a document of a setting from a file, or from standard input (`-`): JSON or XML.

    Raises:
        UsageError: it is none.
        Error: the file cannot be read.
    """
    from ingot.base.errors import UsageError
    from ingot.base.limits import XML_BODY_BYTES_MAX
    from ingot.cli._keys import read_file
    from ingot.client.jsonform import xml_of
    from ingot.s3.errors import S3Error

    try:
        return parse(xml_of(read_file(file, XML_BODY_BYTES_MAX), form))
    except (S3Error, UsageError) as error:
        raise UsageError(f"{file}: {error.message}") from error
