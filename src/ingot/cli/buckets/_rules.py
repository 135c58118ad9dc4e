"""The options of rules: what one does, and which of them goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingot.cli.printer import Printer

if TYPE_CHECKING:
    from ingot.client.lifecycle import Wish

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DAYS = click.IntRange(0, 36_500)
_COUNT = click.IntRange(1, 100)


def rule_options(command: _Command) -> _Command:
    """Give a command the options of a lifecycle rule, named as mc names them."""
    for option in reversed(
        (
            click.option("--prefix", help="Objects whose keys begin so."),
            click.option("--tags", metavar="TAGS", help="Objects with these, as 'a=1&b=2'."),
            click.option("--size-gt", metavar="SIZE", help="Objects that are longer."),
            click.option("--size-lt", metavar="SIZE", help="Objects that are shorter."),
            click.option("--expire-days", type=_DAYS, help="Remove objects after so many days."),
            click.option("--expire-date", metavar="DATE", help="Remove objects on this day."),
            click.option(
                "--expire-delete-marker",
                is_flag=True,
                help="Remove delete markers that no version is left of.",
            ),
            click.option(
                "--expire-all-object-versions",
                is_flag=True,
                help="Older versions go with the current one (MinIO).",
            ),
            click.option("--transition-days", type=_DAYS, help="Move objects after so many days."),
            click.option("--transition-date", metavar="DATE", help="Move objects on this day."),
            click.option(
                "--transition-tier",
                "--storage-class",
                "transition_tier",
                metavar="CLASS",
                help="Where to.",
            ),
            click.option(
                "--noncurrent-expire-days", type=_DAYS, help="Remove older versions after these."
            ),
            click.option(
                "--noncurrent-expire-newer", type=_COUNT, help="But so many of them stay."
            ),
            click.option(
                "--noncurrent-transition-days", type=_DAYS, help="Move older versions after these."
            ),
            click.option(
                "--noncurrent-transition-newer", type=_COUNT, help="But so many of them stay."
            ),
            click.option("--noncurrent-transition-tier", metavar="CLASS", help="Where to."),
            click.option(
                "--abort-days", type=_DAYS, help="Give unfinished uploads up after these."
            ),
        )
    ):
        command = option(command)
    return command


def wish_of(**said: Any) -> Wish:
    """Make a wish of the values of `rule_options`.

    Raises:
        UsageError: one of them cannot be understood.
    """
    from ingot.base.units import parse_size
    from ingot.client.lifecycle import Wish
    from ingot.client.moments import parse_day
    from ingot.client.tagging import parse_tags

    def size(text: str | None) -> int | None:
        return None if text is None else parse_size(text)

    def day(text: str | None) -> int | None:
        return None if text is None else parse_day(text)

    return Wish(
        prefix=said["prefix"],
        tags=None if said["tags"] is None else tuple(parse_tags(said["tags"]).items()),
        larger_bytes=size(said["size_gt"]),
        smaller_bytes=size(said["size_lt"]),
        expire_days=said["expire_days"],
        expire_date_ns=day(said["expire_date"]),
        expire_marker=said["expire_delete_marker"] or None,
        expire_all=said["expire_all_object_versions"] or None,
        transition_days=said["transition_days"],
        transition_date_ns=day(said["transition_date"]),
        transition_class=said["transition_tier"],
        noncurrent_expire_days=said["noncurrent_expire_days"],
        noncurrent_expire_keep=said["noncurrent_expire_newer"],
        noncurrent_transition_days=said["noncurrent_transition_days"],
        noncurrent_transition_keep=said["noncurrent_transition_newer"],
        noncurrent_transition_class=said["noncurrent_transition_tier"],
        abort_days=said["abort_days"],
    )


def removal_options(command: _Command) -> _Command:
    """Give a command the options that say which rule of a bucket goes."""
    for option in (
        click.option("--force", is_flag=True, help="With --all: do not ask."),
        click.option("--all", "every", is_flag=True, help="All of them."),
        click.option("--id", "rule_id", help="Which rule."),
    ):
        command = option(command)
    return command


def check_removal(
    printer: Printer, target: str, rule_id: str | None, *, every: bool, force: bool
) -> None:
    """Make sure that it is said which rule goes, and that all of them may.

    Raises:
        UsageError: it is not, or they may not.
    """
    from ingot.base.errors import UsageError

    if (rule_id is None) != every:
        raise UsageError("which rule?", hint="give --id ID, or --all")
    if every and not printer.confirm(f"Remove all rules of {target}?", yes=force):
        raise UsageError("nothing was removed", hint="add --force to remove without asking")
