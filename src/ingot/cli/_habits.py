"""What users of mc write out of habit, in the words of our commands; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
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
# What mc called its options before, and still takes.
_FORMER = {
    "--fake": "--dry-run",
    "--multi-master": "--active-active",
    "--expiry-days": "--expire-days",
    "--expiry-date": "--expire-date",
    "--expired-object-delete-marker": "--expire-delete-marker",
    "--noncurrentversion-expiration-days": "--noncurrent-expire-days",
    "--newer-noncurrentversions-expiration": "--noncurrent-expire-newer",
    "--noncurrentversion-transition-days": "--noncurrent-transition-days",
    "--noncurrentversion-transition-storage-class": "--noncurrent-transition-tier",
    "--noncurrentversion-tier": "--noncurrent-transition-tier",
    "--tier": "--transition-tier",
}
_DASHED = re.compile(r"-[a-z][a-z0-9-]{2,}")
_SAID_OUT = re.compile(r"(?P<flag>-[a-zA-Z]|-{1,2}[a-z][a-z0-9-]+)=(?P<truth>true|false)")


def translate(command: click.Command, words: list[str]) -> list[str]:
    """Return the words after a verb as its options and verbs are called here.

    `alias ls` is `alias list`, `ilm add` `ilm rule add`, `-json` is `--json`, `-r=false` nothing.
    """
    if isinstance(command, click.Group):
        return _verb(command, words)
    return _plain(command, words)


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


def _plain(command: click.Command, words: list[str]) -> list[str]:
    """Return options as we write them: Go's flags may have one dash, and a truth."""
    options = {
        name: param
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
    }
    until = words.index("--") if "--" in words else len(words)
    plain: list[str] = []
    for index, word in enumerate(words[:until]):
        option = _named_now(word, options)
        said = _SAID_OUT.fullmatch(option)
        if said and said["flag"] in options and options[said["flag"]].is_flag:
            plain += [said["flag"]] if said["truth"] == "true" else []
        elif option == "--retry" in options and not _is_number(words[index + 1 : until]):
            # A flag of mc's; here every item is tried several times in any case.
            continue
        else:
            plain.append(option)
    return plain + words[until:]


def _named_now(word: str, options: Container[str]) -> str:
    name, sign, value = word.partition("=")
    long = f"-{name}" if _DASHED.fullmatch(name) else name
    known = next((one for one in (long, _FORMER.get(long)) if one in options), None)
    return word if known is None else f"{known}{sign}{value}"


def _is_number(words: Sequence[str]) -> bool:
    return bool(words) and words[0].isdecimal()


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
