"""What may stand for an argument that names something: aliases, buckets, keys, local paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import click
    from click.shell_completion import CompletionItem

    from ingot.client.addresses import RemoteAddress
    from ingot.s3client.client import S3Client

Completer = Callable[..., Any]
PATIENCE_VARIABLE = "INGOT_COMPLETION_TIMEOUT"
# Somebody waits with a finger on a key: better nothing than late.
_PATIENCE_S = 2.0
_PATIENCE_MAX_S = 60.0
_ITEMS_MAX = 200
# The kind of what shells treat as they treat paths: quoted, and no blank after a slash.
ADDRESS = "address"
# The kind of words that somebody made up: quoted, but a slash in them means nothing.
NAME = "name"
# The last of all characters: what comes after PREFIX + this does not begin with PREFIX.
_LAST_CHARACTER = "\U0010ffff"


def patience_s() -> float:
    """Return how long a shell may be kept waiting; a service may be silent for half of it."""
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_duration

    try:
        said = parse_duration(os.environ.get(PATIENCE_VARIABLE, ""))
    except UsageError:
        return _PATIENCE_S
    return min(said, _PATIENCE_MAX_S)


def complete_alias(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer names of aliases."""
    return _items(_quiet(_alias_names(ctx, incomplete)), "plain")


def complete_remote(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer addresses: aliases, then one level of buckets, folders and objects."""
    return _items(_quiet(_addresses(ctx, incomplete)), ADDRESS)


def complete_address(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer addresses, and local paths where they may stand, which are left to the shell."""
    name, slash, _ = incomplete.partition("/")
    if slash and name in _quiet(_alias_names(ctx, name)):
        return complete_remote(ctx, param, incomplete)
    addresses = [] if slash else complete_remote(ctx, param, incomplete)
    return [*addresses, *complete_path(ctx, param, incomplete)]


def complete_path(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leave it to the shell to offer local paths."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_folder(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leave it to the shell to offer local folders."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def complete_operand(words: Sequence[str]) -> Completer:
    """Return what offers `WORD=`, none twice, and addresses and paths after `if=` and `of=`."""
    from click.shell_completion import CompletionItem

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        word, sign, value = incomplete.partition("=")
        if not sign:
            there = {given.partition("=")[0] for given in ctx.params.get(param.name or "") or ()}
            left = (f"{name}=" for name in words if name not in there)
            return _items((name for name in left if name.startswith(word)), "plain")
        if word not in {"if", "of"}:
            return []
        before = word + sign
        return [
            CompletionItem(before + item.value, type=ADDRESS)
            if item.type == ADDRESS
            else CompletionItem(item.value, type=item.type, help=before)
            for item in complete_address(ctx, param, value)
        ]

    return complete


def named(names: Callable[[S3Client, click.Context], Iterable[str]]) -> Completer:
    """Return what offers names that the service of the first argument knows, none twice.

    Args:
        names: asks it.
    """

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        there = ctx.params.get(param.name or "")
        given = set(there) if isinstance(there, list | tuple) else set()
        found = _quiet(_known(ctx, names))
        begun = (name for name in found if name.startswith(incomplete) and name not in given)
        return _items(islice(begun, _ITEMS_MAX), NAME)

    return complete


def _known(
    ctx: click.Context, names: Callable[[S3Client, click.Context], Iterable[str]]
) -> Iterator[str]:
    from ingot.cli._wire import hold_on
    from ingot.client.addresses import RemoteAddress, parse_address
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.health import patient_transport

    hold_on(ctx)
    # What follows an option that lacks its value is not taken apart.
    target = ctx.params.get("target") or next(iter(ctx.args), "")
    address = parse_address(str(target), AliasBook.default())
    if not isinstance(address, RemoteAddress) or address.bucket:
        return
    with Connections(patient_transport(patience_s() / 2)) as connections:
        yield from names(connections.client(address.alias), ctx)


def _items(values: Iterable[str], kind: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, type=kind) for value in values]


def _quiet(values: Iterator[str]) -> list[str]:
    """Take what comes before the first failure; there is nowhere to report one."""
    from ingot.base.errors import Error

    taken: list[str] = []
    try:
        taken.extend(values)
    except (Error, OSError):
        return []
    return taken


def _alias_names(ctx: click.Context, incomplete: str) -> Iterator[str]:
    from ingot.cli._wire import hold_on
    from ingot.client.aliases import AliasBook

    hold_on(ctx)
    yield from (name for name in AliasBook.default().all() if name.startswith(incomplete))


def _addresses(ctx: click.Context, incomplete: str) -> Iterator[str]:
    if "/" not in incomplete:
        yield from (f"{name}/" for name in _alias_names(ctx, incomplete))
        return
    from ingot.cli._wire import hold_on
    from ingot.client.addresses import LocalAddress, parse_address
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.health import patient_transport

    hold_on(ctx)
    address = parse_address(incomplete, AliasBook.default())
    if isinstance(address, LocalAddress):
        return
    with Connections(patient_transport(patience_s() / 2)) as connections:
        client = connections.client(address.alias)
        if incomplete.count("/") == 1:
            names = (bucket.name for bucket in client.list_buckets())
            found = (name for name in names if name.startswith(address.bucket))
            yield from (f"{address.alias.name}/{name}/" for name in islice(found, _ITEMS_MAX))
            return
        yield from (str(address.at(key)) for key in _keys(client, address))


def _keys(client: S3Client, address: RemoteAddress) -> Iterator[str]:
    """Yield one level of keys: the first ones, and some of each other beginning.

    A shell writes what all names begin with. It must not take the first names for all, or it would
    write what only they begin with.
    """

    def level(after: str, count: int) -> tuple[list[str], bool]:
        page = client.list_objects_v2(
            address.bucket,
            prefix=address.key,
            delimiter="/",
            start_after=after,
            max_keys=count,
        )
        keys = (entry.key for entry in page.entries)
        # A folder may be an object, too; that is typed already.
        names = [*page.common_prefixes, *(key for key in keys if key != address.key)]
        return sorted(names), page.is_truncated

    names, is_truncated = level("", _ITEMS_MAX)
    yield from names
    common = _common(names[0], names[-1]) if is_truncated and names else ""
    while len(common) > len(address.key):
        others, _ = level(common + _LAST_CHARACTER, 1)
        yield from others
        shorter = _common(common, others[0]) if others else common
        if shorter == common:
            return
        common = shorter


def _common(one: str, other: str) -> str:
    same = (first == second for first, second in zip(one, other, strict=False))
    return one[: len(list(takewhile(bool, same)))]
