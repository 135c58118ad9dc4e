"""What a shell offers for an argument: aliases, buckets, keys, local paths; soon or nothing."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import click
    from click.shell_completion import CompletionItem

# Somebody waits with a finger on a key: better nothing than late.
_ANSWER_TIMEOUT_S = 1.0
_ITEMS_MAX = 200


def complete_alias(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer names of aliases."""
    return _items(_quiet(_alias_names(incomplete)))


def complete_remote(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer addresses: aliases, then one level of buckets, folders and objects."""
    return _items(_quiet(_addresses(incomplete)))


def complete_address(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer addresses and local paths; what can only be local is left to the shell."""
    from click.shell_completion import CompletionItem

    if incomplete.startswith((".", "/", "~")):
        return [CompletionItem(incomplete, type="file")]
    remote = _quiet(_addresses(incomplete))
    return _items([*remote, *_quiet(_local_names(incomplete))])


def _items(values: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    # A line break or the like would be taken for another item.
    return [CompletionItem(value) for value in values if value.isprintable()]


def _quiet(values: Iterator[str]) -> list[str]:
    """Take what comes before the first failure; there is nowhere to report one."""
    from ingot.base.errors import Error

    taken: list[str] = []
    try:
        taken.extend(islice(values, _ITEMS_MAX))
    except (Error, OSError):
        return []
    return taken


def _alias_names(incomplete: str) -> Iterator[str]:
    from ingot.client.aliases import AliasBook

    return (name for name in AliasBook.default().all() if name.startswith(incomplete))


def _addresses(incomplete: str) -> Iterator[str]:
    from ingot.client.addresses import LocalAddress, parse_address
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.health import patient_transport

    if "/" not in incomplete:
        yield from (f"{name}/" for name in _alias_names(incomplete))
        return
    address = parse_address(incomplete, AliasBook.default())
    if isinstance(address, LocalAddress):
        return
    name = address.alias.name
    with Connections(patient_transport(_ANSWER_TIMEOUT_S)) as connections:
        client = connections.client(address.alias)
        if incomplete.count("/") == 1:
            for bucket in client.list_buckets():
                if bucket.name.startswith(address.bucket):
                    yield f"{name}/{bucket.name}/"
            return
        page = client.list_objects_v2(
            address.bucket, prefix=address.key, delimiter="/", max_keys=_ITEMS_MAX
        )
        keys = [*page.common_prefixes, *(entry.key for entry in page.entries)]
        yield from (f"{name}/{address.bucket}/{key}" for key in sorted(keys))


def _local_names(incomplete: str) -> Iterator[str]:
    folder, separator, start = incomplete.rpartition("/")
    with os.scandir(folder or ".") as scan:
        for item in scan:
            if item.name.startswith(start) and (start or not item.name.startswith(".")):
                yield f"{folder}{separator}{item.name}{'/' if item.is_dir() else ''}"
