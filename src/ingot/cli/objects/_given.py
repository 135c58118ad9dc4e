"""The options that say what objects are given beside their bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def given_options(command: _Command) -> _Command:
    """Give a command `--attr`, `--tags`, `--storage-class` and `--content-type`."""
    for option in (
        click.option(
            "--attr",
            "attributes",
            metavar="ATTRIBUTES",
            help="Content headers and metadata, as 'Cache-Control=no-cache;artist=me'.",
        ),
        click.option(
            "--tags", metavar="TAGS", help="Tags, as 'name=value&name=value'; '' for none."
        ),
        click.option("--storage-class", metavar="CLASS", help="As the service calls it."),
        click.option("--content-type", metavar="TYPE", help="Else it is guessed from the name."),
    ):
        command = option(command)
    return command
