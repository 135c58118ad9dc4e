"""component.yml as a value: what a component is made of and how its image wants to be run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ingot.base.document import Reader
from ingot.base.errors import NotFoundError
from ingot.oci.image import ImageConfig
from ingot.oci.tree import TreeError, check_path

FILE_NAME = "component.yml"
ID_MAX = 65535

_FILE_KINDS = ("contents", "source", "join", "symlink", "directory")
_FILE_KEYS = ("path", "mode", "uid", "gid", *_FILE_KINDS)
_CONFIG_KEYS = ("entrypoint", "cmd", "env", "working-dir", "user", "labels")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One entry of `files`; exactly one of contents, source, join, link and directory is given.

    `join` is a pattern of files of the packages, which are put one behind the other.
    """

    path: str
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    contents: str | None = None
    source: str | None = None
    join: str | None = None
    link: str | None = None
    directory: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """A user of the image; `home` of `/` means none of its own."""

    name: str
    uid: int
    gid: int
    home: str = "/"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the image."""

    name: str
    gid: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """A component.yml, checked. Names and patterns may hold `{arch}` and `{triplet}`.

    Attributes:
        packages: Debian packages to take, with all they depend upon.
        exclude: patterns of packages never taken.
        ignore_depends: patterns of packages taken without what they depend upon.
        only: patterns of paths to keep, with the libraries they need; empty keeps everything.
        libraries: "needed" drops shared libraries that nothing in the image needs.
        wheels: a hash-locked requirements file, relative to the folder.
        distribution: "ingot" adds the running installation's own package.
    """

    name: str
    description: str = ""
    packages: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ignore_depends: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    libraries: str = "all"
    prune: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    wheels: str | None = None
    distribution: str | None = None
    bytecode: bool = True
    files: tuple[FileRow, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    config: ImageConfig = field(default_factory=ImageConfig)


def read_recipe(folder: Path) -> Recipe:
    """Read `folder/component.yml`.

    Raises:
        NotFoundError: there is none.
        ingot.base.document.DocumentError: it has mistakes; all are listed.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(
            f"{folder} is no component: it has no {FILE_NAME}",
            hint="`ingot build --help` says where components are looked for",
        ) from None
    return parse_recipe(text, str(path), folder.name)


def parse_recipe(text: str, file: str, name: str) -> Recipe:
    """Read the text of a component.yml; `name` is the default for its `name`.

    Raises:
        ingot.base.document.DocumentError: it has mistakes; all are listed.
    """
    reader = Reader(file)
    root = reader.compose(text)
    values: dict[str, Any] = {"name": name}
    if root is not None:
        for key, node in reader.mapping(root, _READERS).items():
            value = _READERS[key](reader, node)
            if value is not None:
                values[key.replace("-", "_")] = value
    reader.finish()
    return Recipe(**values)


def _path(reader: Reader, node: yaml.Node) -> str | None:
    text = reader.string(node)
    if text is None:
        return None
    try:
        return check_path(text.strip("/"))
    except TreeError as error:
        reader.problem(node, error.message)
        return None


def _mode(reader: Reader, node: yaml.Node) -> int | None:
    text = reader.string(node) or ""
    digits = text.removeprefix("0o")
    if digits and all(digit in "01234567" for digit in digits) and int(digits, 8) <= 0o7777:
        return int(digits, 8)
    reader.problem(node, f"{text!r} is not an octal mode such as 0644")
    return None


def _files(reader: Reader, node: yaml.Node) -> tuple[FileRow, ...]:
    rows = [_file(reader, item) for item in reader.items(node)]
    return tuple(row for row in rows if row is not None)


def _file(reader: Reader, node: yaml.Node) -> FileRow | None:
    nodes = reader.mapping(node, _FILE_KEYS)
    given = [kind for kind in _FILE_KINDS if kind in nodes]
    if "path" not in nodes or len(given) != 1:
        reader.problem(node, f"a file needs `path` and one of {', '.join(_FILE_KINDS)}")
        return None
    path = _path(reader, nodes["path"])
    kind = given[0]
    text = None if kind == "directory" else reader.string(nodes[kind])
    return FileRow(
        path=path or "",
        mode=_mode(reader, nodes["mode"]) if "mode" in nodes else None,
        uid=_id(reader, nodes, "uid"),
        gid=_id(reader, nodes, "gid"),
        contents=text if kind == "contents" else None,
        source=text if kind == "source" else None,
        join=text if kind == "join" else None,
        link=text if kind == "symlink" else None,
        directory=kind == "directory" and bool(reader.boolean(nodes[kind])),
    )


def _id(reader: Reader, nodes: Mapping[str, yaml.Node], key: str, default: int = 0) -> int:
    if key not in nodes:
        return default
    value = reader.integer(nodes[key], high=ID_MAX)
    return default if value is None else value


def _users(reader: Reader, node: yaml.Node) -> tuple[User, ...]:
    users: list[User] = []
    for name, nodes in _named(reader, node, ("name", "uid", "gid", "home"), "uid"):
        uid = _id(reader, nodes, "uid")
        home = reader.string(nodes["home"]) if "home" in nodes else None
        users.append(User(name, uid, _id(reader, nodes, "gid", uid), home or "/"))
    return tuple(users)


def _groups(reader: Reader, node: yaml.Node) -> tuple[Group, ...]:
    named = _named(reader, node, ("name", "gid"), "gid")
    return tuple(Group(name, _id(reader, nodes, "gid")) for name, nodes in named)


def _named(
    reader: Reader, node: yaml.Node, known: tuple[str, ...], number: str
) -> Iterator[tuple[str, dict[str, yaml.Node]]]:
    """Yield the name and keys of each item that has a name and its number."""
    for item in reader.items(node):
        nodes = reader.mapping(item, known)
        if "name" in nodes and number in nodes:
            yield reader.string(nodes["name"]) or "", nodes
        else:
            reader.problem(item, f"name and {number} are needed here")


def _config(reader: Reader, node: yaml.Node) -> ImageConfig:
    nodes = reader.mapping(node, _CONFIG_KEYS)
    working_dir = reader.string(nodes["working-dir"]) if "working-dir" in nodes else None
    user = reader.string(nodes["user"]) if "user" in nodes else None
    labels = reader.mapping(nodes["labels"]) if "labels" in nodes else {}
    return ImageConfig(
        entrypoint=reader.strings(nodes["entrypoint"]) if "entrypoint" in nodes else (),
        cmd=reader.strings(nodes["cmd"]) if "cmd" in nodes else (),
        env=reader.strings(nodes["env"]) if "env" in nodes else (),
        working_dir=working_dir or "/",
        user=user or "",
        labels={key: _label(reader, value) for key, value in labels.items()},
    )


def _label(reader: Reader, node: yaml.Node) -> str:
    """Return a label's text; LinuxKit's settings may be written as a mapping and become JSON."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    return json.dumps(reader.plain(node), sort_keys=True, separators=(",", ":"))


def _libraries(reader: Reader, node: yaml.Node) -> str | None:
    return reader.choice(node, ("all", "needed"))


def _distribution(reader: Reader, node: yaml.Node) -> str | None:
    return reader.choice(node, ("ingot",))


_READERS: dict[str, Callable[[Reader, yaml.Node], object]] = {
    "name": Reader.string,
    "description": Reader.string,
    "packages": Reader.strings,
    "exclude": Reader.strings,
    "ignore-depends": Reader.strings,
    "only": Reader.strings,
    "libraries": _libraries,
    "prune": Reader.strings,
    "keep": Reader.strings,
    "wheels": Reader.string,
    "distribution": _distribution,
    "bytecode": Reader.boolean,
    "files": _files,
    "users": _users,
    "groups": _groups,
    "config": _config,
}
