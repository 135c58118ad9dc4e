"""Lists of a root file system's files in the mtree(5) format, written and read. Pure.

`bsdtar -tvf NAME.mtree` and mtree(8) read them. Extended attributes are `xattr.NAME=BASE64`, as
go-mtree writes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import msgspec

from ingot.base.errors import UsageError
from ingot.oci.tree import Entry, Tree

_TYPES = {"directory": "dir", "symlink": "link"}
_ESCAPE = re.compile(r"\\([0-7]{3})")


class ListedFile(msgspec.Struct, frozen=True):
    """One file of a list.

    Attributes:
        path: without leading slash.
        attributes: keywords and values as written, in their order; `type` and `mode` first.
    """

    path: str
    attributes: dict[str, str]

    @property
    def size_bytes(self) -> int:
        """The size of a regular file; 0 of anything else."""
        return int(self.attributes.get("size", "0"))


def render_mtree(tree: Tree) -> bytes:
    """Return the list of a tree, sorted by path; equal trees give equal bytes."""
    lines = ["#mtree"]
    for entry in tree:
        words = (f"{key}={value}" for key, value in _attributes(entry))
        lines.append(f"./{_escaped(entry.path)} {' '.join(words)}")
    return ("\n".join(lines) + "\n").encode()


def read_mtree(data: bytes, what: str) -> dict[str, ListedFile]:
    """Read a list that `render_mtree` wrote; files by path.

    Raises:
        UsageError: it is none.
    """
    lines = data.decode("utf-8", "replace").splitlines()
    if not lines or lines[0] != "#mtree":
        raise UsageError(f"{what} is no list of files of ours")
    found: dict[str, ListedFile] = {}
    for line in lines[1:]:
        name, *words = line.split(" ")
        path = _plain(name).removeprefix("./")
        pairs = (word.partition("=") for word in words)
        found[path] = ListedFile(path, {key: _plain(value) for key, _, value in pairs})
    return found


def _attributes(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "type", _TYPES.get(entry.kind, entry.kind)
    yield "mode", f"{entry.mode:04o}"
    yield "uid", str(entry.uid)
    yield "gid", str(entry.gid)
    if entry.content is not None:
        yield "size", str(entry.content.size_bytes)
        yield "sha256digest", entry.content.sha256()
    if entry.link is not None:
        yield "link", _escaped(entry.link)
    if entry.device is not None:
        yield "device", f"linux,{entry.device[0]},{entry.device[1]}"
    for name, value in entry.xattrs:
        yield f"xattr.{_escaped(name)}", base64.b64encode(value).decode()


def _escaped(text: str) -> str:
    """Write a name as vis(3) does: every byte that is no plain character in octal."""
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(
        chr(byte) if 0x21 <= byte <= 0x7E and byte not in b"\\#=" else f"\\{byte:03o}"
        for byte in raw
    )


def _plain(text: str) -> str:
    raw = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)
    return raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
