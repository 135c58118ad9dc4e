"""Where what a JSON text says stands in it, line and column; pure.

The standard library's reader tells where a text stops being JSON, and nothing of what is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from ingot.base.errors import UsageError

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+)', re.DOTALL)
_DEPTH_MAX = 100

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Where something begins; both count from 1."""

    line: int
    column: int


def read_places(data: bytes, origin: str) -> dict[Path, Place]:
    """Return where each member and each item of a JSON text begins, and the whole at `()`.

    Raises:
        UsageError: it is no JSON, or an object has a name twice; with the place.
    """
    try:
        text = data.decode()
        json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{origin}:{error.lineno}:{error.colno}: this is no JSON: {error.msg}"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{origin}: this is no text in UTF-8") from error
    except RecursionError as error:
        raise UsageError(f"{origin}: this is nested too deeply") from error
    except ValueError as error:
        raise UsageError(f"{origin}: a number has too many digits") from error
    return _Reader(text, origin).places


class _Reader:
    """Walks through a text that is known to be JSON."""

    def __init__(self, text: str, origin: str) -> None:
        self._text, self._origin = text, origin
        self._tokens: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self.places: dict[Path, Place] = {}
        self._value((), next(self._tokens))

    def _value(self, path: Path, token: re.Match[str]) -> None:
        self.places.setdefault(path, self._place(token))
        if len(path) > _DEPTH_MAX:
            raise UsageError(f"{self._origin}: this is nested too deeply")
        if token[1] == "{":
            self._members(path)
        elif token[1] == "[":
            self._items(path)

    def _members(self, path: Path) -> None:
        while (name := next(self._tokens))[1] != "}":
            if name[1] == ",":
                continue
            member = (*path, json.loads(name[1]))
            place = self._place(name)
            if member in self.places:
                raise UsageError(
                    f"{self._origin}:{place.line}:{place.column}: {name[1]} is there twice in one"
                    " object"
                )
            self.places[member] = place
            next(self._tokens)  # the colon
            self._value(member, next(self._tokens))

    def _items(self, path: Path) -> None:
        index = 0
        while (token := next(self._tokens))[1] != "]":
            if token[1] == ",":
                continue
            self._value((*path, index), token)
            index += 1

    def _place(self, token: re.Match[str]) -> Place:
        start = token.start(1)
        line_start = self._text.rfind("\n", 0, start) + 1
        return Place(self._text.count("\n", 0, start) + 1, start - line_start + 1)
