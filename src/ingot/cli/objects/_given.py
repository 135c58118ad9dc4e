"""The options that say what objects are given beside their bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def given_options(command: _Command) -> _Command:
    """Give a command `--attr`, `--tags`, `--storage-class`, `--content-type` and those of locks."""
    for option in (
        click.option(
            "--legal-hold",
            type=click.Choice(["on", "off"], case_sensitive=False),
            help="Hold it until further notice.",
        ),
        click.option("--retention-duration", metavar="TIME", help="For so long, as 30d or 1y."),
        click.option(
            "--retention-mode",
            type=click.Choice(["governance", "compliance"], case_sensitive=False),
            help="It must stay; with --retention-duration.",
        ),
        click.option(
            "--attr",
            "attributes",
            metavar="ATTRIBUTES",
            help="Content headers and metadata, as 'Cache-Control=no-cache;artist=me'.",
        ),
        click.option(
            "--tags", metavar="TAGS", help="Tags, as 'name=value&name=value'; '' for none."
        ),
        click.option("--storage-class", "--sc", metavar="CLASS", help="As the service calls it."),
        click.option("--content-type", metavar="TYPE", help="Else it is guessed from the name."),
    ):
        command = option(command)
    return command
