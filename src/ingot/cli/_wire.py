"""The options of `ingot` itself that say how object commands talk with services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def wire_options(command: _Command) -> _Command:
    """Give the command the options about connections; each has a variable, and mc's."""
    for option in (
        click.option(
            "--custom-header",
            "-H",
            "headers",
            multiple=True,
            metavar="'NAME: VALUE'",
            help="Send this with every request to a service. Repeatable.",
        ),
        click.option(
            "--insecure",
            is_flag=True,
            envvar=["INGOT_INSECURE", "MC_INSECURE"],
            help="Take any certificate of a service.",
        ),
        click.option(
            "--resolve",
            multiple=True,
            metavar="HOST[:PORT]=IP",
            envvar=["INGOT_RESOLVE", "MC_RESOLVE"],
            help="Connect there for this service's name. Repeatable.",
        ),
        click.option(
            "--limit-download",
            metavar="RATE",
            envvar=["INGOT_LIMIT_DOWNLOAD", "MC_LIMIT_DOWNLOAD"],
            help="Bytes a second, as 10M.",
        ),
        click.option(
            "--limit-upload",
            metavar="RATE",
            envvar=["INGOT_LIMIT_UPLOAD", "MC_LIMIT_UPLOAD"],
            help="Bytes a second, as 10M.",
        ),
    ):
        command = option(command)
    return command


def apply_wire(ctx: click.Context, **wire: Any) -> None:
    """Make the connections of this run as the options say.

    Raises:
        UsageError: one of them cannot be understood.
    """
    if not any(wire.values()):
        return
    from ingot.client.wire import Wire, parse_wire, use

    use(parse_wire(**wire))
    ctx.call_on_close(lambda: use(Wire()))
