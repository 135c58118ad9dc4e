"""`ingot find`: objects by name, size, age, tags and metadata."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.base.errors import Error
    from ingot.client.addresses import RemoteAddress
    from ingot.client.connections import Connections
    from ingot.client.entries import Selection
    from ingot.client.finding import Criteria
    from ingot.client.listing import Line
    from ingot.client.probing import Wanted


@click.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--name", metavar="PATTERN", help="The name's last segment is like this.")
@click.option("--path", metavar="PATTERN", help="The address is like this; `*` crosses `/`.")
@click.option("--regex", metavar="REGEX", help="This is found in the address.")
@click.option(
    "--ignore", multiple=True, metavar="PATTERN", help="Leave out names like this. Repeatable."
)
@click.option("--larger", metavar="SIZE", help="Longer than this, as 10M.")
@click.option("--smaller", metavar="SIZE", help="Shorter than this.")
@click.option("--older-than", metavar="DURATION", help="Written longer ago than this, as 7d12h.")
@click.option("--newer-than", metavar="DURATION", help="Written since then.")
@click.option("--maxdepth", type=click.IntRange(1), help="Only so many levels deep.")
@click.option(
    "--tags", "tags", multiple=True, metavar="NAME=REGEX", help="Has such a tag. Repeatable."
)
@click.option(
    "--metadata", multiple=True, metavar="NAME=REGEX", help="Has such metadata. Repeatable."
)
@click.option("--print", "template", metavar="TEMPLATE", help="Print this instead of `{}`.")
@click.option("--exec", "command", metavar="COMMAND", help="Run this for each; no shell.")
@output_options
def find(
    printer: Printer,
    *,
    target: str,
    ignore: tuple[str, ...],
    maxdepth: int | None,
    tags: tuple[str, ...],
    metadata: tuple[str, ...],
    template: str | None,
    command: str | None,
    **tests: str | None,
) -> None:
    """Find objects below TARGET that pass every test given.

    TEMPLATE and COMMAND may hold {} (the address), {base} (its last segment), {dir} (what is
    before that), {size} (bytes) and {time}.

    \b
    Examples:
      ingot find store/photos --name '*.jpg' --larger 10M
      ingot find store/photos --tags 'kind=^cat' --metadata 'content-type=image/'
      ingot find store --older-than 30d --print '{size} {}'
      ingot find store/logs --regex '/2024-0[1-6]' --exec 'ingot rm {}'
    """
    from ingot.base.errors import UsageError
    from ingot.cli._objects import Reporter
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.entries import Selection
    from ingot.client.events import Failed, Unchanged
    from ingot.client.finding import parse_command
    from ingot.client.probing import parse_wanted

    if template is not None and command is not None:
        raise UsageError("--print and --exec exclude each other")
    words = parse_command(command) if command is not None else None
    root = parse_remote(target, AliasBook.default())
    criteria = _criteria(maxdepth, **tests)
    selection, wanted = Selection(ignore), parse_wanted(tags, metadata)
    reporter = Reporter(printer)
    with Connections() as connections:
        for line, address in _found(connections, root, criteria, selection, wanted):
            if words is None:
                _show(printer, line, address, template or "{}")
            elif (error := _run(words, line, address)) is not None:
                reporter.tell(Failed(address, error))
            else:
                reporter.tell(Unchanged(address, line.size_bytes))
    reporter.finish(summary=False)


def _found(
    connections: Connections,
    root: RemoteAddress,
    criteria: Criteria,
    selection: Selection,
    wanted: Wanted,
) -> Iterator[tuple[Line, str]]:
    """Yield objects and their addresses; those questions that cost a request come last."""
    from ingot.client.listing import list_address
    from ingot.client.probing import filtered

    found = (
        (line, address)
        for line in list_address(connections, root, recursive=True)
        if not line.is_folder
        and selection.admits(line.name)
        and criteria.admit(line, address := f"{root.alias.name}/{line.path}")
    )
    if not wanted:
        return found
    client = connections.client(root.alias)

    def keep(item: tuple[Line, str]) -> bool:
        bucket, _, key = item[0].path.partition("/")
        return wanted.holds(client, bucket, key)

    return filtered(found, keep)


def _criteria(
    levels: int | None,
    *,
    name: str | None,
    path: str | None,
    regex: str | None,
    larger: str | None,
    smaller: str | None,
    older_than: str | None,
    newer_than: str | None,
) -> Criteria:
    from ingot.base.clock import SystemClock
    from ingot.base.units import parse_duration, parse_size
    from ingot.client.finding import Criteria, parse_regex

    now_ns = SystemClock().now_ns()

    def ago(duration: str | None) -> int | None:
        return None if duration is None else now_ns - int(parse_duration(duration) * 1e9)

    return Criteria(
        name=name,
        path=path,
        regex=None if regex is None else parse_regex(regex),
        larger_bytes=None if larger is None else parse_size(larger),
        smaller_bytes=None if smaller is None else parse_size(smaller),
        before_ns=ago(older_than),
        after_ns=ago(newer_than),
        levels=levels,
    )


def _show(printer: Printer, line: Line, address: str, template: str) -> None:
    from ingot.cli._objects import iso_time
    from ingot.client.finding import fill, placeholders

    time = iso_time(line.modified_ns)
    document = {
        "type": "file",
        "key": address,
        "size": line.size_bytes,
        "lastModified": time,
        "etag": line.etag,
    }
    text = fill(template, placeholders(address, line.size_bytes, time))
    printer.data(document, visible(text))


def _run(words: Sequence[str], line: Line, address: str) -> Error | None:
    """Run the command for one object, and return why that failed, if it did."""
    from ingot.base.errors import Error, MissingToolError
    from ingot.cli._objects import iso_time
    from ingot.client.finding import fill, placeholders

    values = placeholders(address, line.size_bytes, iso_time(line.modified_ns))
    filled = [fill(word, values) for word in words]
    sys.stdout.flush()
    try:
        done = subprocess.run(filled, check=False)
    except FileNotFoundError as error:
        raise MissingToolError(f"{filled[0]} cannot be run: there is no such program") from error
    except (OSError, ValueError) as error:
        return Error(f"{address}: {filled[0]} cannot be run: {error}")
    if done.returncode:
        return Error(f"{address}: {filled[0]} ended with exit code {done.returncode}")
    return None
