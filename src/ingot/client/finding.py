"""Which objects `find` shows, and the templates it prints or runs for each; pure, no I/O."""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from ingot.base.errors import UsageError
from ingot.client.ages import Age
from ingot.client.listing import Line

_PLACEHOLDER = re.compile(r'\{(?P<quote>"?)(?P<name>base|dir|size|time|version|url)?(?P=quote)\}')


@dataclass(frozen=True, slots=True)
class Criteria:
    """What an object must be; what is None or empty does not matter.

    Attributes:
        name: a shell pattern for the last segment.
        path: a shell pattern for the whole address, where `*` also crosses `/`.
        regex: found somewhere in the whole address.
        larger_bytes: it is longer than this.
        smaller_bytes: it is shorter than this.
        age: when it was written.
        levels: it lies at most so deep; 1 is directly in the folder.
    """

    name: str | None = None
    path: str | None = None
    regex: re.Pattern[str] | None = None
    larger_bytes: int | None = None
    smaller_bytes: int | None = None
    age: Age = field(default_factory=Age)
    levels: int | None = None

    def admit(self, line: Line, address: str) -> bool:
        """Tell whether an object is one of those that are looked for."""
        return self._names(line, address) and self._measures(line)

    def _names(self, line: Line, address: str) -> bool:
        return (
            (self.name is None or fnmatch.fnmatchcase(posixpath.basename(line.name), self.name))
            and (self.path is None or fnmatch.fnmatchcase(address, self.path))
            and (self.regex is None or self.regex.search(address) is not None)
            and (self.levels is None or line.name.count("/") < self.levels)
        )

    def _measures(self, line: Line) -> bool:
        return (
            (self.larger_bytes is None or line.size_bytes > self.larger_bytes)
            and (self.smaller_bytes is None or line.size_bytes < self.smaller_bytes)
            and self.age.admits(line.modified_ns)
        )


def parse_regex(text: str) -> re.Pattern[str]:
    """Read a regular expression.

    Raises:
        UsageError: it is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression: {error}") from error


def parse_command(text: str) -> list[str]:
    """Cut a command into words as a shell does; no shell will ever see it.

    Raises:
        UsageError: a quote is not closed, or there is no word.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no command: {error}") from error
    if not words:
        raise UsageError("the command is empty")
    return words


def placeholders(
    address: str, size_bytes: int, time: str, *, version: str = "", url: str = ""
) -> Mapping[str, str]:
    """Return what `fill` puts in for an object."""
    folder, _, base = address.rpartition("/")
    return {
        "": address,
        "base": base,
        "dir": folder,
        "size": str(size_bytes),
        "time": time,
        "version": version,
        "url": url,
    }


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace `{}`, `{base}`, `{dir}`, `{size}`, `{time}`, `{version}` and `{url}`, in one pass.

    `{"base"}` and the like are put in quotes, as JSON has them. What an object's name brings along
    is never read as a placeholder.
    """

    def value(match: re.Match[str]) -> str:
        plain = values[match["name"] or ""]
        return json.dumps(plain, ensure_ascii=False) if match["quote"] else plain

    return _PLACEHOLDER.sub(value, template)


def asks_link(template: str) -> bool:
    """Tell whether a template has a place for the link, which costs a signature to make."""
    return any(match["name"] == "url" for match in _PLACEHOLDER.finditer(template))
