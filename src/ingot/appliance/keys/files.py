"""The key `files`: what is laid over everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import yaml

from ingot.appliance.keys.basics import known_fields, read_id, read_mode
from ingot.base.document import Reader

KINDS = ("contents", "source", "symlink", "metadata", "directory")
METADATA = ("yaml", "json")
_EMPTY_AT_BOOT = frozenset({"run", "tmp", "var"})


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of `files`; exactly one of the kinds (contents … directory) is given.

    Attributes:
        metadata: the appliance file itself, merged and with templates resolved, as this.
        optional: a source that cannot be read is no error.
    """

    path: str
    contents: str | None = None
    source: Path | None = None
    symlink: str | None = None
    metadata: Literal["yaml", "json"] | None = None
    directory: bool = False
    optional: bool = False
    mode: int | None = None
    uid: int | str = 0
    gid: int | str = 0


def read_files(reader: Reader, node: yaml.Node) -> tuple[FileEntry, ...]:
    """Read the list of files."""
    entries = [_file(reader, item) for item in reader.items(node)]
    return tuple(entry for entry in entries if entry is not None)


def hidden_files(entries: Iterable[FileEntry]) -> Iterator[str]:
    """Yield a warning for each file that nobody will see."""
    for entry in entries:
        first = entry.path.partition("/")[0]
        if first in _EMPTY_AT_BOOT:
            yield f"files: /{entry.path} will not be there: /{first} is empty at every boot"


def _file(reader: Reader, node: yaml.Node) -> FileEntry | None:
    nodes = known_fields(reader, node, ("path", *KINDS, "optional", "mode", "uid", "gid"))
    is_directory = "directory" in nodes and bool(reader.boolean(nodes["directory"]))
    given = [kind for kind in KINDS if kind in nodes and (kind != "directory" or is_directory)]
    path = (reader.string(nodes["path"]) or "").strip("/") if "path" in nodes else ""
    if not path or len(given) != 1:
        reader.problem(node, f"a file needs a path and one of {', '.join(KINDS)}")
        return None
    if {"..", ".", ""} & set(path.split("/")):
        reader.problem(nodes["path"], "a path must not climb out with '..', nor have empty parts")
    text = {kind: reader.string(nodes[kind]) for kind in given if kind != "directory"}
    source = text.get("source")
    metadata = reader.choice(nodes["metadata"], METADATA) if "metadata" in nodes else None
    return FileEntry(
        path=path,
        contents=text.get("contents"),
        source=Path(source).expanduser() if source else None,
        symlink=text.get("symlink"),
        metadata=cast("Literal['yaml', 'json'] | None", metadata),
        directory=is_directory,
        optional="optional" in nodes and bool(reader.boolean(nodes["optional"])),
        mode=read_mode(reader, nodes["mode"]) if "mode" in nodes else None,
        uid=_owner(reader, nodes, "uid"),
        gid=_owner(reader, nodes, "gid"),
    )


def _owner(reader: Reader, nodes: Mapping[str, yaml.Node], key: str) -> int | str:
    return (read_id(reader, nodes[key]) or 0) if key in nodes else 0
