"""What the commands of `ingot admin` share: the service they are about, and words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingot.cli.printer import Printer

if TYPE_CHECKING:
    from ingot.base.secret import Secret
    from ingot.s3client.client import S3Client

_Command = TypeVar("_Command", bound=Callable[..., Any])


@contextmanager
def administered(target: str) -> Iterator[S3Client]:
    """Open a client of the service that is named.

    Raises:
        UsageError: the target is more than the name of an alias.
        NotFoundError: there is no such alias.
    """
    from ingot.base.errors import UsageError
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections

    address = parse_remote(target, AliasBook.default())
    if address.bucket:
        raise UsageError(f"{target!r} is more than the name of an alias")
    with Connections() as connections:
        yield connections.client(address.alias)


def on_each(
    target: str, names: Sequence[str], printer: Printer, act: Callable[[S3Client, str], None]
) -> None:
    """Do something for each name, all of one service.

    Raises:
        Error: it failed.
    """
    from ingot.cli._objects import each

    with administered(target) as client:
        each(printer, names, lambda name: act(client, name))


def secret_options(command: _Command) -> _Command:
    """Give a command the options that say where a secret key comes from."""
    for option in (
        click.option(
            "--secret-key-file",
            "file",
            metavar="FILE",
            type=click.Path(allow_dash=True),
            help="Read the secret key from a file; - is standard input.",
        ),
        click.option("--generate", is_flag=True, help="Make a secret key up, and show it once."),
    ):
        command = option(command)
    return command


def secret_given(
    printer: Printer, given: str | None, file: str | None, *, generate: bool
) -> Secret | None:
    """Return the secret key of an argument or a file; None if there is neither.

    Raises:
        UsageError: it is given twice, not in a form that is known, or also to be made up.
        Error: the file cannot be read.
    """
    from ingot.base.errors import UsageError
    from ingot.cli._keys import read_secret_key

    if generate and (given is not None or file is not None):
        raise UsageError("the secret key is given, and to be made up too")
    if given is not None:
        printer.warning(
            "other users of this machine can see a secret key among the arguments; leave it out"
            " and it is asked for, or read from standard input"
        )
    return None if given is None and file is None else read_secret_key(given, file)


def state(enabled: bool) -> str:
    """Return the word for whether somebody may sign."""
    return "enabled" if enabled else "disabled"


def joined(names: Sequence[str] | None) -> str:
    """Return names for a cell of a table."""
    return ", ".join(names or ()) or "-"
