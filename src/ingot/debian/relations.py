"""Dependency fields of Debian packages (Debian Policy 7.1): text into values."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingot.base.errors import Error

# name[:arch] [(op version)] [[arch list]] [<build profiles>]
_RELATION = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9+.-]*)(?::([a-z0-9-]+))?"
    r"\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([A-Za-z0-9][^\s)]*)\s*\))?"
    r"\s*(?:\[[^\]]*\])?\s*(?:<[^>]*>\s*)*"
)
# "<" and ">" are deprecated spellings of "<=" and ">=" (Debian Policy 7.1).
_OPERATORS = {"<": "<=", ">": ">="}


class RelationError(Error):
    """A dependency field breaks Debian's grammar."""

    slug = "relation"


class Relation(NamedTuple):
    """One package wanted, with a bound on its version where `operator` is not empty."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


def parse_relations(field: str) -> list[tuple[Relation, ...]]:
    """Parse `a (>= 1), b | c` into a list of alternatives, in order.

    Raises:
        RelationError: the field is malformed.
    """
    return [
        tuple(_parse_relation(text, field) for text in group.split("|"))
        for group in field.split(",")
        if group.strip()
    ]


def _parse_relation(text: str, field: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if match is None:
        raise RelationError(f"{text.strip()!r} is no package relation (in {field!r})")
    name, _, operator, version = match.groups()
    if operator is None:
        return Relation(name)
    return Relation(name, _OPERATORS.get(operator, operator), version)
