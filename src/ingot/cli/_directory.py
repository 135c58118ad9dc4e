"""The argument DIR of `ingot server`: the folder that a store is in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingot.cli._completion import complete_folder

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def directory_argument(
    *, required: bool = False, complete: Complete = complete_folder
) -> Callable[[_Command], _Command]:
    """Give a command DIR, as `directory`; unless it is required, the environment may name it."""
    return click.argument(
        "directory",
        metavar="DIR" if required else "[DIR]",
        required=required,
        type=click.Path(path_type=Path),
        shell_complete=complete,
    )
