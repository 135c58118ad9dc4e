"""One kind of line that commands print with `--json`, as the tables of fields have it."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A kind of line.

    Attributes:
        commands: who print it, each without `ingot` in front.
        fields: its fields beside `status`, each as `name`, or `name meaning`; `?` behind the name:
            it is left out where there is nothing to say.
        line: which of several kinds this is.
        raw: what the command writes in place of lines of JSON; it has no fields then.
    """

    commands: tuple[str, ...]
    fields: tuple[str, ...] = ()
    line: str = ""
    raw: str = ""
