"""`ingot od`: how fast a single stream to or from a service is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_operand
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.client.singlestream import Portion

_NS_PER_S = 1_000_000_000
_WORDS = ("if", "of", "size", "parts", "skip")


@click.command()
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="if=SOURCE of=TARGET [size=SIZE] …",
    shell_complete=complete_operand(_WORDS),
)
@output_options
def od(printer: Printer, *, words: tuple[str, ...]) -> None:
    """Copy through a single stream, part after part, and tell how fast it went.

    One of SOURCE and TARGET is an object, the other a file or device. Upwards, size= is that of a
    part (16M), parts= how many are sent, skip= how many of the input's are left out before.

    \b
    Examples:
      ingot od if=disk.img of=store/images/disk.img size=64M
      ingot od if=/dev/zero of=store/tmp/zeros size=16M parts=10
      ingot od if=store/images/disk.img of=/dev/null
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import format_duration, format_size
    from ingot.client.addresses import LocalAddress, RemoteAddress, parse_address
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.singlestream import receive, send

    book = AliasBook.default()
    values = _values(words)
    source, target = (parse_address(values[name], book) for name in ("if", "of"))
    portion = _portion(values)
    with (
        Connections() as connections,
        printer.progress() as progress,
        progress.task(str(source), unit="bytes") as task,
    ):
        began_s = time.monotonic()
        match source, target:
            case LocalAddress(), RemoteAddress() if not target.names_folder:
                client = connections.client(target.alias)
                moved = send(client, source.path, target, portion, task.advance)
            case RemoteAddress(), LocalAddress() if not source.names_folder:
                if portion.parts is not None or portion.skip:
                    raise UsageError("parts= and skip= are for uploads")
                moved = receive(connections, source, target.path, task.advance)
            case _:
                raise UsageError(
                    "one side must be an object, the other a file",
                    hint="write them like if=disk.img of=ALIAS/BUCKET/KEY",
                )
        elapsed_s = max(time.monotonic() - began_s, 1e-9)
    document = {
        "type": "FStoS3" if isinstance(source, LocalAddress) else "S3toFS",
        "source": str(source),
        "target": str(target),
        "partSize": portion.part_bytes,
        "totalSize": moved.size_bytes,
        "parts": moved.parts,
        "skip": portion.skip,
        "elapsed": int(elapsed_s * _NS_PER_S),
        "speed": moved.size_bytes / elapsed_s,
    }
    printer.data(
        document,
        f"{format_size(moved.size_bytes)} in {moved.parts} parts, {format_duration(elapsed_s)},"
        f" {format_size(int(moved.size_bytes / elapsed_s))}/s",
    )


def _values(words: Sequence[str]) -> dict[str, str]:
    from ingot.base.errors import UsageError

    values: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or name not in _WORDS or name in values:
            raise UsageError(f"{word!r} is not understood", hint="see 'ingot od --help'")
        values[name] = value
    if not {"if", "of"} <= values.keys():
        raise UsageError("if= and of= are needed", hint="see 'ingot od --help'")
    return values


def _portion(values: dict[str, str]) -> Portion:
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_size
    from ingot.client.singlestream import Portion

    counts = {}
    for name in ("parts", "skip"):
        text = values.get(name, "")
        if text and not (text.isascii() and text.isdigit()):
            raise UsageError(f"{name}={text} is no number")
        counts[name] = int(text) if text else None
    if counts["parts"] == 0:
        raise UsageError("parts=0 copies nothing")
    return Portion(parse_size(values.get("size", "16M")), counts["parts"], counts["skip"] or 0)
