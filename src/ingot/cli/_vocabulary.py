"""What may stand for an argument that takes one of a few words, or the name of a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click
    from click.shell_completion import CompletionItem


def complete_format(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer output formats of a build."""
    from ingot.appliance.outputs import find_outputs

    return _listed(find_outputs(), incomplete)


def complete_arch(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer architectures that can be built for."""
    from ingot.debian.machine import ARCHITECTURES

    return _words(ARCHITECTURES, incomplete)


def complete_events(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer groups of events, and events once one of their names is begun."""
    from ingot.s3.events import EVENTS, GROUPS

    begun = incomplete.rpartition(",")[2]
    return _listed(sorted(EVENTS) if begun.startswith("s3:") else GROUPS, incomplete)


def complete_extras(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer what replication may carry over beside new objects."""
    from ingot.client.replication import EXTRAS

    return _listed(EXTRAS, incomplete)


def complete_compression(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer what queries can unpack."""
    from ingot.s3.documents.select import COMPRESSIONS

    return _in_either_case(COMPRESSIONS, incomplete)


def complete_choice(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the words of a choice in the case in which they were begun; click has small letters."""
    import click

    assert isinstance(param.type, click.Choice)
    return _in_either_case(param.type.choices, incomplete)


def complete_machine(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer names of machines."""
    from ingot.cli._machines import machines

    return _words((folder.name for folder in machines().folders()), incomplete)


def _words(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _in_either_case(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    # A shell that minds the case would not take CRC32 for crc.
    return _words(words, incomplete) or _words((word.lower() for word in words), incomplete)


def _listed(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Offer the next word of a list with commas; none that is there already."""
    listed, comma, begun = incomplete.rpartition(",")
    there = listed.split(",")
    return _words(
        (f"{listed}{comma}{word}" for word in words if word not in there), listed + comma + begun
    )
