"""Layers into a tree: decompressed once, kept by digest, laid over each other with whiteouts.

Format: OCI image-spec, layer.md.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from ingot.base.units import GIB, KIB
from ingot.oci.digest import HashedFile, check_digest, check_hash, hex_of, new_hash
from ingot.oci.packed import Row, cached_entries
from ingot.oci.tarball import TarballError, decompressed, read_tar
from ingot.oci.tree import Content, Entry, Tree, TreeError, check_path

LAYER_BYTES_MAX = 32 * GIB
LAYERS_FOLDER = "layers"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_CHUNK_BYTES = 256 * KIB
_MAGIC = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"}


def layer_entries(blob: Content, digest: str, diff_id: str, cache_dir: Path) -> list[Entry]:
    """Return a layer's entries in the order of its tar, whiteouts among them.

    Args:
        blob: the layer as it travels: plain, gzip or zstd, whatever its media type says. It is
            not read when the cache has the layer.
        digest: of `blob`.
        diff_id: of the tar inside; the cache's key.
        cache_dir: the cache is `layers/` below it.

    Raises:
        DigestError: blob or tar do not have their digest.
        TarballError: the layer is damaged or holds paths it must not.
    """
    check_digest(diff_id)

    def fill(bodies: BinaryIO) -> list[Row]:
        source = _HashedBlob(blob, digest)
        packed = io.BufferedReader(cast("io.RawIOBase", source), _CHUNK_BYTES)
        # Builders label layers wrongly; the first bytes do not lie.
        head = packed.peek(4)[:4]
        compression = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
        kept = HashedFile(bodies, diff_id.partition(":")[0])
        rows = read_tar(
            decompressed(cast("BinaryIO", packed), compression),
            cast("BinaryIO", kept),
            name=f"layer {digest}",
            clean=clean_path,
            size_bytes_max=LAYER_BYTES_MAX,
        )
        # Padding behind the compressed stream is part of the blob, too.
        while packed.read(_CHUNK_BYTES):
            pass
        check_hash(source.hash, digest, "a layer")
        check_hash(kept.hash, diff_id, f"the tar in layer {digest}")
        return rows

    return cached_entries(cache_dir / LAYERS_FOLDER, hex_of(diff_id), fill)


def stack(layers: Iterable[Iterable[Entry]]) -> Tree:
    """Lay layers over each other, the lowest first.

    Raises:
        TarballError: a layer does not fit on those below it.
    """
    tree = Tree()
    for number, layer in enumerate(layers, 1):
        try:
            _apply(tree, list(layer))
        except TreeError as error:
            raise TarballError(f"layer {number} of the image: {error.message}") from error
    return tree


def _apply(tree: Tree, entries: list[Entry]) -> None:
    # What a layer deletes stands in the layers below, wherever in its tar it says so.
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        if name.startswith(_WHITEOUT):
            _delete(tree, folder, name)
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        if not name.startswith(_WHITEOUT):
            _put(tree, entry, folder, name)


def _delete(tree: Tree, folder: str, name: str) -> None:
    place = _place(tree, folder)
    if place is None:
        return
    prefix = f"{place}/" if place else ""
    if name == _OPAQUE:
        children = {
            entry.path[len(prefix) :].partition("/")[0]
            for entry in tree
            if entry.path.startswith(prefix)
        }
        for child in children:
            tree.remove(prefix + child)
    elif not name.startswith(_WHITEOUT * 2):
        # The other names with two prefixes are notes of AUFS for itself.
        tree.remove(prefix + name.removeprefix(_WHITEOUT))


def _put(tree: Tree, entry: Entry, folder: str, name: str) -> None:
    """Add an entry; unlike in a package, what stands in its place goes away whatever it is."""
    place = _place(tree, folder)
    if place is not None:
        path = f"{place}/{name}" if place else name
        existing = tree.get(path)
        if existing is not None and (existing.kind, entry.kind) != ("directory", "directory"):
            if entry.kind == "hardlink":
                entry = _linked(tree, entry)
            tree.remove(path)
    tree.add(entry)


def _linked(tree: Tree, entry: Entry) -> Entry:
    """Return a hard link as the file it is, before what stands in its place is gone."""
    target = tree.resolve(entry.link or "")
    if target is None or target.kind != "file":
        raise TreeError(f"{entry.path} is a hard link to {entry.link}, which is no file here")
    return msgspec.structs.replace(target, path=entry.path)


def _place(tree: Tree, folder: str) -> str | None:
    """Return the canonical path of a directory; None where there is none."""
    if not folder:
        return ""
    found = tree.resolve(folder)
    return found.path if found is not None and found.kind == "directory" else None


def clean_path(name: str) -> str:
    """Return a member's name below the root, as every runtime takes `/etc`, `./etc` and `etc/`."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return check_path("/".join(parts))


class _HashedBlob(io.RawIOBase):
    """A blob as a stream that hashes what is read of it."""

    def __init__(self, blob: Content, digest: str) -> None:
        self.hash = new_hash(digest)
        self._pieces = blob.chunks(_CHUNK_BYTES)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer
        if not self._rest:
            piece = next(self._pieces, b"")
            self.hash.update(piece)
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
