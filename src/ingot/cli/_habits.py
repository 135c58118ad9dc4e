"""What users of mc write out of habit, in the words of our commands; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
# Either word does, whichever a group of commands has.
_SYNONYMS = {
    "ls": "list",
    "list": "ls",
    "rm": "remove",
    "remove": "rm",
    "s": "set",
    "i": "import",
    "e": "export",
}
_DASHED = re.compile(r"-(?P<name>[a-z][a-z0-9-]{2,})(=.*)?", re.DOTALL)


def translate(command: click.Command, words: list[str]) -> list[str]:
    """Return the words after a verb as its options and verbs are called here.

    `alias ls` is `alias list`, `ilm add` is `ilm rule add`, and `-json` is `--json`.
    """
    if isinstance(command, click.Group):
        return _verb(command, words)
    return _dashes(command, words)


def _verb(group: click.Group, words: list[str]) -> list[str]:
    if not words:
        return words
    name = _known(group.commands, words[0])
    if name is not None:
        return [name, *translate(group.commands[name], words[1:])]
    # Before it had tiers to manage, mc's rules of `ilm` were all there was.
    rules = group.commands.get("rule")
    if isinstance(rules, click.Group) and _known(rules.commands, words[0]) is not None:
        return ["rule", *_verb(rules, words)]
    return words


def _known(commands: Mapping[str, click.Command], word: str) -> str | None:
    return next((one for one in (word, _SYNONYMS.get(word)) if one in commands), None)


def _dashes(command: click.Command, words: list[str]) -> list[str]:
    # The flags of a Go program may have one dash.
    options = {name for param in command.params for name in param.opts}
    until = words.index("--") if "--" in words else len(words)
    if "--retry" in words[:until] and "--retry" in options:
        # With mc it is a flag; here every item is tried several times anyway.
        index = words.index("--retry")
        if not words[index + 1 : index + 2][0:1] or not words[index + 1].isdecimal():
            return _dashes(command, words[:index] + words[index + 1 :])
    return [
        f"-{word}"
        if (match := _DASHED.fullmatch(word)) and f"--{match['name']}" in options
        else word
        for word in words[:until]
    ] + words[until:]


def always(*names: str) -> Callable[[_Command], _Command]:
    """Give a command a flag that asks for what it does in any case; help does not show it."""
    return click.option(*names, is_flag=True, hidden=True, expose_value=False)


class Levels(click.ParamType[int | None]):
    """How many levels deep; one number stands for all of them, as with mc."""

    name = "integer"

    def __init__(self, every: int) -> None:
        self._every = every

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Read a number of levels; None for all."""
        if str(value) == str(self._every):
            return None
        return click.IntRange(1).convert(value, param, ctx)
