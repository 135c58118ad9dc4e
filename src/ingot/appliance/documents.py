"""Several YAML documents as one: templates resolved, sections merged, entries replaced. Pure.

Merging works on nodes, which know their file and line, so mistakes are named where they stand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from ingot.appliance.keys.basics import is_null
from ingot.base.document import DocumentError, Reader
from ingot.base.errors import Error

PACKAGE_TEMPLATE = "@pkg:"
# What names an entry of a list; None where entries are plain.
LISTS = {
    "init": None,
    "volumes": "name",
    "onboot": "name",
    "onshutdown": "name",
    "services": "name",
    "files": "path",
}
_LAID_OVER = frozenset({"kernel", "network", "trust"})
_OVERRIDE = "override"
_REMOVE = "remove"

_Pairs = list[tuple[yaml.Node, yaml.Node]]


def _no_package(_path: str) -> str:
    raise Error("templates are resolved in files of this machine only")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML text.

    Attributes:
        file: what mistakes call it.
        package: returns the image that the folder of a package, as written, stands for.
    """

    text: str
    file: str
    package: Callable[[str], str] = field(default=_no_package, compare=False)


def compose_all(reader: Reader, documents: Sequence[Document]) -> yaml.MappingNode:
    """Return the documents as one mapping; mistakes are noted in `reader`.

    Fields of `kernel` and `network` override each other one by one, lists are appended, and any
    other key replaces that of an earlier document. `override: true` in an entry of a list lays it
    over the earlier one of its name, `remove: true` drops that one.

    Raises:
        DocumentError: one of them is no YAML, no mapping, or empty.
    """
    merged = _Merged(reader)
    first: yaml.Node | None = None
    for document in documents:
        root = reader.compose(document.text, document.file)
        if root is None:
            raise DocumentError(f"{document.file}:1:1: the file is empty")
        first = first or root
        _resolve(reader, root, document, set())
        if not isinstance(root, yaml.MappingNode):
            reader.mapping(root)
            reader.finish()
            continue
        # Repeated keys are noted once, by their own document.
        reader.mapping(root)
        merged.add(root)
    assert first is not None
    return yaml.MappingNode("tag:yaml.org,2002:map", merged.pairs(), first.start_mark)


def render_yaml(root: yaml.Node) -> str:
    """Return a document's text: scalars as they were written, everything else in one style."""
    _unfold(root, set())
    text: str = yaml.serialize(root, Dumper=yaml.SafeDumper, allow_unicode=True, width=4096)
    return text


def render_json(reader: Reader, root: yaml.Node) -> str:
    """Return a document as JSON; a number with a point stays the text it was."""
    return json.dumps(_plain(reader, root), indent=1, ensure_ascii=False) + "\n"


class _Merged:
    """Sections, in the order in which they first came."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._keys: dict[str, yaml.Node] = {}
        self._values: dict[str, yaml.Node] = {}

    def pairs(self) -> _Pairs:
        return [(key, self._values[name]) for name, key in self._keys.items()]

    def add(self, root: yaml.MappingNode) -> None:
        for key, value in root.value:
            name = str(key.value)
            if is_null(value):
                continue
            self._keys.setdefault(name, key)
            earlier = self._values.get(name)
            if name in LISTS and isinstance(value, yaml.SequenceNode):
                self._values[name] = self._list(earlier, value, LISTS[name])
            elif name in _LAID_OVER and earlier is not None:
                self._values[name] = _laid_over(earlier, value)
            else:
                self._values[name] = value

    def _list(
        self, earlier: yaml.Node | None, later: yaml.SequenceNode, key: str | None
    ) -> yaml.SequenceNode:
        items = list(earlier.value) if isinstance(earlier, yaml.SequenceNode) else []
        for item in later.value:
            word = self._word(item) if key else None
            if word is None:
                items.append(_own(item))
                continue
            name = _name(item, key)
            places = [at for at, other in enumerate(items) if name and _name(other, key) == name]
            if len(places) != 1:
                found = f"{len(places)} earlier entries" if places else "no earlier entry"
                self._reader.problem(item, f"{word}: {found} {name!r}; one is needed")
            elif word == _REMOVE:
                del items[places[0]]
            else:
                items[places[0]] = _laid_over(items[places[0]], _own(item))
        if items == later.value:
            # The node itself, by which mistakes know its path.
            return later
        return yaml.SequenceNode(later.tag, items, (earlier or later).start_mark)

    def _word(self, item: yaml.Node) -> str | None:
        """Return what an entry does to an earlier one, if it is not an entry of its own."""
        for word in (_OVERRIDE, _REMOVE):
            node = _get(item, word)
            if node is not None and self._reader.boolean(node):
                return word
        return None


def _laid_over(lower: yaml.Node, upper: yaml.Node) -> yaml.Node:
    if not (isinstance(lower, yaml.MappingNode) and isinstance(upper, yaml.MappingNode)):
        return upper
    said = {str(key.value): (key, value) for key, value in upper.value if not is_null(value)}
    pairs = [said.pop(str(key.value), (key, value)) for key, value in lower.value]
    return yaml.MappingNode(upper.tag, [*pairs, *said.values()], upper.start_mark)


def _own(item: yaml.Node) -> yaml.Node:
    """Return an entry without the words for what it does to an earlier one."""
    if not any(_get(item, word) for word in (_OVERRIDE, _REMOVE)):
        return item
    pairs = [(key, value) for key, value in item.value if key.value not in {_OVERRIDE, _REMOVE}]
    return yaml.MappingNode(item.tag, pairs, item.start_mark)


def _get(node: yaml.Node, name: str | None) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if str(key.value) == name), None)


def _name(node: yaml.Node, key: str | None) -> str | None:
    found = _get(node, key)
    return str(found.value).strip("/") if isinstance(found, yaml.ScalarNode) else None


def _resolve(reader: Reader, node: yaml.Node, document: Document, seen: set[int]) -> None:
    """Replace templates in every scalar of a document."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        text = str(node.value)
        if text.startswith(PACKAGE_TEMPLATE):
            try:
                node.value = document.package(text.removeprefix(PACKAGE_TEMPLATE).strip())
            except Error as error:
                reader.problem(node, f"{text}: {error.message}")
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _resolve(reader, key, document, seen)
            _resolve(reader, value, document, seen)
    else:
        for item in node.value:
            _resolve(reader, item, document, seen)


def _unfold(node: yaml.Node, seen: set[int]) -> None:
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    assert isinstance(node, yaml.CollectionNode)
    node.flow_style = not node.value
    for part in node.value:
        for child in part if isinstance(part, tuple) else (part,):
            _unfold(child, seen)


def _plain(reader: Reader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(reader, value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(reader, item) for item in node.value]
    value = reader.plain(node)
    return str(node.value) if isinstance(value, float) else value
