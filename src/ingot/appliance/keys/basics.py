"""What reading any key takes: absent values, keys of mappings, modes, owners, durations."""

from __future__ import annotations

import re

import yaml

from ingot.base.document import Reader
from ingot.base.errors import UsageError
from ingot.base.units import parse_duration

ID_MAX = 2**32 - 2
MODE_MAX = 0o7777

_KEPT = re.compile(r"/(run|var)(/(?!\.\.?(/|$))[A-Za-z0-9_.@+-]+)+")


def is_null(node: yaml.Node) -> bool:
    """Say whether a value is YAML's null, which counts as a key that was not given."""
    return (
        isinstance(node, yaml.ScalarNode)
        and not node.style
        and node.value in {"", "~", "null", "Null", "NULL"}
    )


def known_fields(reader: Reader, node: yaml.Node, known: tuple[str, ...]) -> dict[str, yaml.Node]:
    """Return a mapping's values; keys that are not known are mistakes."""
    nodes = reader.mapping(node, known)
    return {key: value for key, value in nodes.items() if not is_null(value)}


def read_mode(reader: Reader, node: yaml.Node) -> int:
    """Read permission bits written as octal digits, with or without quotes and `0o`."""
    text = reader.string(node) or ""
    digits = text.removeprefix("0o")
    if digits and not digits.strip("01234567") and int(digits, 8) <= MODE_MAX:
        return int(digits, 8)
    reader.problem(node, f'{text!r} is not an octal mode such as "0644"')
    return 0


def read_id(reader: Reader, node: yaml.Node) -> int | str | None:
    """Read a user or group: a number, `root`, or the name of a container of this file."""
    value = reader.plain(node)
    if isinstance(value, str):
        return value
    return reader.integer(node, high=ID_MAX)


def read_ids(reader: Reader, node: yaml.Node) -> tuple[int | str, ...]:
    """Read a list of users or groups."""
    found = [read_id(reader, item) for item in reader.items(node)]
    return tuple(value for value in found if value is not None)


def read_kept(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    """Read folders of the machine that a data disk keeps."""
    for item in reader.items(node):
        if not _KEPT.fullmatch(reader.string(item) or ""):
            reader.problem(item, "a folder that is kept lies below /run or /var, which begin empty")
    return reader.strings(node)


def read_texts(reader: Reader, node: yaml.Node) -> dict[str, str]:
    """Read a mapping of names to plain values, taken as text."""
    return {key: reader.string(value) or "" for key, value in reader.mapping(node).items()}


def read_duration(reader: Reader, node: yaml.Node) -> float | None:
    """Read a time such as 10s or 2m, in seconds."""
    try:
        return parse_duration(reader.string(node) or "")
    except UsageError as error:
        reader.problem(node, f"{error.message}; {error.hint}")
        return None


def read_namespace(reader: Reader, node: yaml.Node) -> str | None:
    """Read `host`, `root`, `new`, `none` or the path of a namespace; "" means not said."""
    word = reader.string(node)
    if word in {None, "", "host", "root", "new", "none"} or (word or "").startswith("/"):
        return word
    reader.problem(node, f"{word!r} is none of host, new, none and the path of a namespace")
    return None
