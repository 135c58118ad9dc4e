"""YAML documents as nodes that know their place, so that every mistake is reported at once.

A `Reader` walks nodes, notes problems and goes on; `finish` raises them all, each as
`file:line:column: what is wrong`. Scalars follow YAML 1.2's core schema: `no` and `on` are text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import yaml

from ingot.base.errors import UsageError

_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class DocumentError(UsageError):
    """An input file has mistakes; the message lists all of them, one a line."""


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One mistake; lines and columns count from one."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class Reader:
    """Reads one document, or several whose nodes are read as one.

    Args:
        file: what the document is called in problems, unless `compose` is told otherwise.
        paths: say in problems which path (`services.0.binds`) they are about.
    """

    def __init__(self, file: str, *, paths: bool = False) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._paths: dict[int, str] | None = {} if paths else None

    def compose(self, text: str, file: str | None = None) -> yaml.Node | None:
        """Parse `text`; None when it is empty.

        Raises:
            DocumentError: it is no YAML.
        """
        name = self._file if file is None else file
        try:
            loader = yaml.SafeLoader(text)
            # Nodes keep this name in their marks, wherever they are read later.
            loader.name = name
            root: yaml.Node | None = loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            problem = Problem(name, line, column, error.problem or "this is no YAML")
            raise DocumentError(str(problem)) from error
        except yaml.YAMLError as error:
            raise DocumentError(f"{name}: {error}") from error
        if root is not None and self._paths is not None:
            _name_paths(root, "", self._paths)
        return root

    def problem(self, node: yaml.Node, message: str) -> None:
        """Note a mistake at `node`."""
        mark = node.start_mark
        if self._paths and (path := self._paths.get(id(node))):
            message = f"{path}: {message}"
        self._problems.append(Problem(mark.name, mark.line + 1, mark.column + 1, message))

    def finish(self) -> None:
        """Return if there are no problems.

        Raises:
            DocumentError: there are.
        """
        if self._problems:
            raise DocumentError("\n".join(str(problem) for problem in sorted(self._problems)))

    def mapping(
        self, node: yaml.Node, known: Collection[str] | None = None
    ) -> dict[str, yaml.Node]:
        """Return a mapping's values by key; unknown and repeated keys are problems."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"a mapping is expected here, not {_kind(node)}")
            return {}
        values: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = self.string(key_node)
            if key is None:
                continue
            if key in values:
                self.problem(key_node, f"{key!r} is given twice")
            elif known is not None and key not in known:
                self.problem(key_node, f"{key!r} is not known here{_suggestion(key, known)}")
            else:
                values[key] = value
        return values

    def items(self, node: yaml.Node) -> Iterator[yaml.Node]:
        """Yield the nodes of a list."""
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        else:
            self.problem(node, f"a list is expected here, not {_kind(node)}")

    def string(self, node: yaml.Node) -> str | None:
        """Return the text of a scalar as it is written; None after noting a problem."""
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.problem(node, f"a string is expected here, not {_kind(node)}")
        return None

    def strings(self, node: yaml.Node) -> tuple[str, ...]:
        """Return a list of strings."""
        values = [self.string(item) for item in self.items(node)]
        return tuple(value for value in values if value is not None)

    def integer(self, node: yaml.Node, *, low: int = 0, high: int = 2**63 - 1) -> int | None:
        """Return an integer between `low` and `high`; None after noting a problem."""
        value = self.plain(node)
        if isinstance(value, bool) or not isinstance(value, int):
            self.problem(node, "an integer is expected here")
            return None
        if not low <= value <= high:
            self.problem(node, f"{value} is not between {low} and {high}")
            return None
        return value

    def boolean(self, node: yaml.Node) -> bool | None:
        """Return true or false; None after noting a problem."""
        value = self.plain(node)
        if isinstance(value, bool):
            return value
        self.problem(node, "true or false is expected here")
        return None

    def choice(self, node: yaml.Node, choices: Collection[str]) -> str | None:
        """Return one of `choices`; None after noting a problem."""
        value = self.string(node)
        if value is None or value in choices:
            return value
        listed = ", ".join(sorted(choices))
        self.problem(node, f"{value!r} is none of {listed}{_suggestion(value, choices)}")
        return None

    def plain(self, node: yaml.Node) -> Plain:
        """Return the value of a node and all below it as plain Python values."""
        if isinstance(node, yaml.MappingNode):
            return {key: self.plain(value) for key, value in self.mapping(node).items()}
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)
        # A style other than plain (quoted, block) makes text of whatever it looks like.
        return str(node.value) if node.style else _scalar(str(node.value))


def _name_paths(node: yaml.Node, path: str, paths: dict[int, str]) -> None:
    """Record the path of `node` and all below it; a node that aliases share keeps its first."""
    if id(node) in paths:
        return
    paths[id(node)] = path
    prefix = f"{path}." if path else ""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            paths[id(key)] = f"{prefix}{key.value}"
            _name_paths(value, f"{prefix}{key.value}", paths)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _name_paths(item, f"{prefix}{index}", paths)


def _scalar(text: str) -> Plain:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        # A leading zero means nothing in YAML 1.2; int() refuses it only for base 0.
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "nothing" if not node.value else "a plain value"


def _suggestion(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f" (known: {', '.join(sorted(known))})"
