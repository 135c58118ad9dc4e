"""What `--json` prints: the lines of every command and their fields, which are kept as they are.

The page docs/reference/json.md is written from these rows, and tests hold every line against them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ingot.cli import _fields_admin, _fields_appliances, _fields_objects
from ingot.cli._fields_rows import Row

_FIELD = re.compile(r"(\w+)(\?)?(?: (.+))?")

ROWS: tuple[Row, ...] = (
    *_fields_objects.ROWS,
    *_fields_admin.ROWS,
    *_fields_appliances.ROWS,
)


class Field(NamedTuple):
    """One field of a line; `optional` ones are left out where there is nothing to say."""

    name: str
    optional: bool
    meaning: str


def fields_of(row: Row) -> tuple[Field, ...]:
    """Return the fields of a row as they are written there."""
    found = []
    for text in row.fields:
        match = _FIELD.fullmatch(text)
        assert match is not None, text
        name, mark, meaning = match.groups()
        found.append(Field(name, bool(mark), meaning or ""))
    return tuple(found)


def rows_of(command: str) -> tuple[Row, ...]:
    """Return what a command prints; its name is written without `ingot`."""
    return tuple(row for row in ROWS if command in row.commands)


def matching(command: str, document: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a command that a line is one of."""
    names = document.keys() - {"status"}
    found = []
    for row in rows_of(command):
        fields = fields_of(row)
        needed = {field.name for field in fields if not field.optional}
        if needed <= names <= {field.name for field in fields}:
            found.append(row)
    return found
